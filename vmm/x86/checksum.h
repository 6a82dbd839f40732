/* The checksum of the tables of PC firmware: all bytes, itself among them, add up to 0. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* What is to be written to a checksum byte that is 0 as yet. */
static inline uint8_t checksum(const void *bytes, size_t len)
{
	const uint8_t *byte = bytes;
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + *byte++);
	return (uint8_t)-sum;
}
