#include "x86/debug_regs.h"

bool debug_regs_can_watch(uint64_t address, unsigned len)
{
	return (len == 1 || len == 2 || len == 4 || len == 8) && !(address % len);
}

uint64_t debug_regs_dr7(unsigned index, enum dr7_access access, unsigned len)
{
	static const uint8_t len_bits[] = {[1] = 0, [2] = 1, [4] = 3, [8] = 2};
	uint64_t bits = access == DR7_EXECUTE ? 0 : (uint64_t)len_bits[len] << 2 | access;

	/* G of this register; bit 10 reads as one. */
	return bits << (16 + 4 * index) | UINT64_C(2) << (2 * index) | 1 << 10;
}
