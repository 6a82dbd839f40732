#include "x86/aml.h"

#include <string.h>

/* ACPI 6.4, 20.3: byte stream encodings. */
enum {
	OP_ZERO = 0x00,
	OP_ONE = 0x01,
	OP_NAME = 0x08,
	PREFIX_BYTE = 0x0a,
	PREFIX_WORD = 0x0b,
	PREFIX_DWORD = 0x0c,
	PREFIX_STRING = 0x0d,
	OP_SCOPE = 0x10,
	OP_BUFFER = 0x11,
	OP_PACKAGE = 0x12,
	OP_METHOD = 0x14,
	PREFIX_EXTENDED = 0x5b,
	OP_NOTIFY = 0x86,
	EXTENDED_DEVICE = 0x82,
};

/* ACPI 6.4, 6.4.2 and 6.4.3: tags; a small item's length is part of its tag. */
enum {
	TAG_IO = 0x47,
	TAG_END = 0x79,
	TAG_MEMORY32_FIXED = 0x86,
	TAG_ADDRESS_SPACE32 = 0x87,
	TAG_ADDRESS_SPACE16 = 0x88,
	TAG_EXTENDED_INTERRUPT = 0x89,
};

#define METHOD_SERIALIZED 0x08 /* ACPI 6.4, 20.2.5.2: above the number of arguments */

#define IO_DECODE_16     0x01
#define MEMORY_WRITABLE  0x01
#define SPACE_MEMORY     0
#define SPACE_BUS        2
#define SPACE_FLAGS      0x0c /* minimum and maximum are fixed; producer, positive decode */
#define INTERRUPT_FLAGS  0x03 /* consumer, edge; the bits for active low and shared are clear */
#define LENGTH_BYTES_MAX 4

static void put(struct aml *aml, const void *bytes, size_t len)
{
	if (aml->full || len > aml->size - aml->len) {
		aml->full = true;
		return;
	}
	memcpy(aml->bytes + aml->len, bytes, len);
	aml->len += len;
}

static void put8(struct aml *aml, uint8_t value)
{
	put(aml, &value, sizeof(value));
}

static void put16(struct aml *aml, uint16_t value)
{
	put(aml, &value, sizeof(value));
}

static void put32(struct aml *aml, uint32_t value)
{
	put(aml, &value, sizeof(value));
}

void aml_name(struct aml *aml, const char *name)
{
	put8(aml, OP_NAME);
	put(aml, name, 4);
}

void aml_integer(struct aml *aml, uint32_t value)
{
	if (value <= 1) {
		put8(aml, value ? OP_ONE : OP_ZERO);
	} else if (value <= UINT8_MAX) {
		put8(aml, PREFIX_BYTE);
		put8(aml, (uint8_t)value);
	} else if (value <= UINT16_MAX) {
		put8(aml, PREFIX_WORD);
		put16(aml, (uint16_t)value);
	} else {
		put8(aml, PREFIX_DWORD);
		put32(aml, value);
	}
}

void aml_string(struct aml *aml, const char *text)
{
	put8(aml, PREFIX_STRING);
	put(aml, text, strlen(text) + 1);
}

static uint32_t hex_digit(char digit)
{
	return (uint32_t)(digit <= '9' ? digit - '0' : digit - 'A' + 10);
}

/* ACPI 6.4, 19.3.4: three letters of five bits, four hexadecimal digits, most significant byte first. */
void aml_eisa_id(struct aml *aml, const char *id)
{
	uint32_t value = 0;
	unsigned i;

	for (i = 0; i < 3; i++)
		value = value << 5 | (uint32_t)(id[i] - '@');
	for (; i < 7; i++)
		value = value << 4 | hex_digit(id[i]);
	put8(aml, PREFIX_DWORD);
	put32(aml, __builtin_bswap32(value));
}

/*
 * PkgLength (ACPI 6.4, 20.2.4) counts itself and all that follows, in one to four bytes; how many is known only
 * now, so what was written moves up to make place for it.
 */
void aml_close(struct aml *aml, size_t mark)
{
	size_t content = aml->len - mark, total, extra = 0;
	uint8_t length[LENGTH_BYTES_MAX];
	unsigned i;

	while (content + 1 + extra >= (extra ? (size_t)1 << (4 + 8 * extra) : 0x40))
		extra++;
	total = content + 1 + extra;
	if (aml->full || extra + 1 > aml->size - aml->len) {
		aml->full = true;
		return;
	}
	length[0] = extra ? (uint8_t)(extra << 6 | (total & 0xf)) : (uint8_t)total;
	for (i = 1; i <= extra; i++)
		length[i] = (uint8_t)(total >> (4 + 8 * (i - 1)));
	memmove(aml->bytes + mark + 1 + extra, aml->bytes + mark, content);
	memcpy(aml->bytes + mark, length, 1 + extra);
	aml->len += 1 + extra;
}

size_t aml_open_scope(struct aml *aml, const char *name)
{
	size_t mark;

	put8(aml, OP_SCOPE);
	mark = aml->len;
	put(aml, name, 4);
	return mark;
}

size_t aml_open_device(struct aml *aml, const char *name)
{
	size_t mark;

	put8(aml, PREFIX_EXTENDED);
	put8(aml, EXTENDED_DEVICE);
	mark = aml->len;
	put(aml, name, 4);
	return mark;
}

size_t aml_open_package(struct aml *aml, uint8_t elements)
{
	size_t mark;

	put8(aml, OP_PACKAGE);
	mark = aml->len;
	put8(aml, elements);
	return mark;
}

size_t aml_open_method(struct aml *aml, const char *name, uint8_t arguments)
{
	size_t mark;

	put8(aml, OP_METHOD);
	mark = aml->len;
	put(aml, name, 4);
	put8(aml, arguments | METHOD_SERIALIZED);
	return mark;
}

void aml_notify(struct aml *aml, const char *name, uint8_t value)
{
	put8(aml, OP_NOTIFY);
	put(aml, name, 4);
	aml_integer(aml, value);
}

void aml_buffer(struct aml *aml, const void *bytes, size_t len)
{
	size_t mark;

	put8(aml, OP_BUFFER);
	mark = aml->len;
	aml_integer(aml, (uint32_t)len);
	put(aml, bytes, len);
	aml_close(aml, mark);
}

void aml_resource_io(struct aml *aml, uint16_t base, uint8_t size)
{
	put8(aml, TAG_IO);
	put8(aml, IO_DECODE_16);
	put16(aml, base); /* the lowest base that it could have, */
	put16(aml, base); /* and the highest */
	put8(aml, 1);     /* alignment */
	put8(aml, size);
}

void aml_resource_memory32(struct aml *aml, uint32_t base, uint32_t size)
{
	put8(aml, TAG_MEMORY32_FIXED);
	put16(aml, 9);
	put8(aml, MEMORY_WRITABLE);
	put32(aml, base);
	put32(aml, size);
}

void aml_resource_interrupt(struct aml *aml, uint32_t gsi)
{
	put8(aml, TAG_EXTENDED_INTERRUPT);
	put16(aml, 6);
	put8(aml, INTERRUPT_FLAGS);
	put8(aml, 1); /* interrupts */
	put32(aml, gsi);
}

/* Address space descriptors (ACPI 6.4, 6.4.3.5.3 and 6.4.3.5.2), without the optional resource source. */
void aml_resource_bus_numbers(struct aml *aml, uint16_t first, uint16_t count)
{
	put8(aml, TAG_ADDRESS_SPACE16);
	put16(aml, 13);
	put8(aml, SPACE_BUS);
	put8(aml, SPACE_FLAGS);
	put8(aml, 0);  /* a bus has no flags of its own */
	put16(aml, 0); /* granularity */
	put16(aml, first);
	put16(aml, (uint16_t)(first + count - 1));
	put16(aml, 0); /* translation */
	put16(aml, count);
}

void aml_resource_window32(struct aml *aml, uint32_t base, uint32_t size)
{
	put8(aml, TAG_ADDRESS_SPACE32);
	put16(aml, 23);
	put8(aml, SPACE_MEMORY);
	put8(aml, SPACE_FLAGS);
	put8(aml, MEMORY_WRITABLE);
	put32(aml, 0); /* granularity */
	put32(aml, base);
	put32(aml, base + size - 1);
	put32(aml, 0); /* translation */
	put32(aml, size);
}

void aml_resource_end(struct aml *aml)
{
	put8(aml, TAG_END);
	put8(aml, 0); /* a checksum of 0 counts as right */
}
