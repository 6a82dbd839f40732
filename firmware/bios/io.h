/* The hardware, as the services see it: io.c has the ROM's, the unit tests their own. */
#pragma once

#include <stdint.h>

uint8_t io_read8(uint16_t port);
void io_write8(uint16_t port, uint8_t value);

/* Memory at an address below 4 GiB: RAM, or a device's registers. */
volatile void *io_memory(uint32_t address);

/* The BIOS data area has words at odd addresses. */
typedef uint16_t memory_word __attribute__((aligned(1), may_alias));
typedef uint32_t memory_dword __attribute__((aligned(1), may_alias));

static inline uint8_t memory_read8(uint32_t address)
{
	return *(volatile uint8_t *)io_memory(address);
}

static inline uint16_t memory_read16(uint32_t address)
{
	return *(volatile memory_word *)io_memory(address);
}

static inline uint32_t memory_read32(uint32_t address)
{
	return *(volatile memory_dword *)io_memory(address);
}

static inline uint64_t memory_read64(uint32_t address)
{
	return memory_read32(address) | (uint64_t)memory_read32(address + 4) << 32;
}

static inline void memory_write8(uint32_t address, uint8_t value)
{
	*(volatile uint8_t *)io_memory(address) = value;
}

static inline void memory_write16(uint32_t address, uint16_t value)
{
	*(volatile memory_word *)io_memory(address) = value;
}

static inline void memory_write32(uint32_t address, uint32_t value)
{
	*(volatile memory_dword *)io_memory(address) = value;
}

static inline void memory_write64(uint32_t address, uint64_t value)
{
	memory_write32(address, (uint32_t)value);
	memory_write32(address + 4, (uint32_t)(value >> 32));
}
