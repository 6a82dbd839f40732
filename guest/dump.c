#include "dump.h"

#include "console.h"

void dump_bytes(uint64_t addr, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;

	for (size_t at = 0; at < len; at += 16) {
		size_t n = len - at < 16 ? len - at : 16;

		print("%08lx ", addr + at);
		for (size_t i = 0; i < 16; i++) {
			if (i < n)
				print(" %02x", b[at + i]);
			else
				print("   ");
		}
		print("  |");
		for (size_t i = 0; i < n; i++)
			print("%c", b[at + i] >= ' ' && b[at + i] < 127 ? b[at + i] : '.');
		print("|\n");
	}
}
