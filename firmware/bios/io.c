/* The hardware itself. */
#include "io.h"

#include "../ports.h"

uint8_t io_read8(uint16_t port)
{
	return inb(port);
}

void io_write8(uint16_t port, uint8_t value)
{
	outb(port, value);
}

volatile void *io_memory(uint32_t address)
{
	return (volatile void *)address; /* flat segments, no paging */
}
