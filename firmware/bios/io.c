/* The hardware itself. */
#include "io.h"

uint8_t io_read8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

void io_write8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

volatile void *io_memory(uint32_t address)
{
	return (volatile void *)address; /* flat segments, no paging */
}
