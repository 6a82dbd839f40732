#include "bench/code.h"

#include <string.h>

static size_t put(uint8_t *code, size_t at, const void *bytes, size_t len)
{
	memcpy(code + at, bytes, len);
	return at + len;
}

/* xor eax, eax; out 0xf4, al; hlt */
static size_t put_end(uint8_t *code, size_t at)
{
	static const uint8_t end[] = {0x31, 0xc0, 0xe6, 0xf4, 0xf4};

	return put(code, at, end, sizeof(end));
}

/* mov ecx, count; jecxz 2f; 1: body; dec ecx; jnz 1b; 2: */
static size_t put_loop(uint8_t *code, uint32_t count, const void *body, size_t len)
{
	const uint8_t head[] = {0xb9, count & 0xff, count >> 8 & 0xff, count >> 16 & 0xff, count >> 24, 0xe3,
		(uint8_t)(len + 3)};
	const uint8_t tail[] = {0x49, 0x75, (uint8_t)(256 - (len + 3))};
	size_t at = put(code, 0, head, sizeof(head));

	at = put(code, at, body, len);
	return put(code, at, tail, sizeof(tail));
}

size_t code_one(uint8_t *code)
{
	return put_end(code, 0);
}

size_t code_pio(uint8_t *code)
{
	/* mov dx, 0x3ff; in al, dx */
	static const uint8_t body[] = {0x66, 0xba, 0xff, 0x03, 0xec};

	return put_end(code, put_loop(code, CODE_EXIT_COUNT, body, sizeof(body)));
}

size_t code_mmio(uint8_t *code)
{
	/* mov eax, [0xd0000000] */
	static const uint8_t body[] = {0xa1, 0x00, 0x00, 0x00, 0xd0};

	return put_end(code, put_loop(code, CODE_EXIT_COUNT, body, sizeof(body)));
}

size_t code_console(uint8_t *code, uint32_t bytes)
{
	static const uint8_t body[] = {
		0x66, 0xba, 0xfd, 0x03, /* mov dx, 0x3fd: the line status */
		0xec,                   /* 1: in al, dx */
		0xa8, 0x20,             /* test al, 0x20 */
		0x74, 0xfb,             /* jz 1b */
		0xb0, 'x',              /* mov al, 'x' */
		0x66, 0xba, 0xf8, 0x03, /* mov dx, 0x3f8 */
		0xee,                   /* out dx, al */
	};

	return put_end(code, put_loop(code, bytes, body, sizeof(body)));
}
