#include "gdb/packet.h"

#include <stdarg.h>
#include <stdio.h>

#include "util/bytes.h"

#define BREAK 0x03

static const char digits[] = "0123456789abcdef";

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static enum packet_event begin(struct packet_in *in, char byte)
{
	switch (byte) {
	case '$':
		in->state = IN_DATA;
		in->too_long = false;
		in->sum = 0;
		in->len = 0;
		return PACKET_NONE;
	case '+':
		return PACKET_NONE;
	case '-':
		return PACKET_REFUSED;
	case BREAK:
		return PACKET_BREAK;
	default:
		return PACKET_GARBAGE;
	}
}

enum packet_event packet_take(struct packet_in *in, char byte)
{
	switch (in->state) {
	case IN_NOTHING:
		return begin(in, byte);
	case IN_DATA:
		if (byte == '#') {
			in->state = IN_CHECK_1;
			return PACKET_NONE;
		}
		in->sum += (uint8_t)byte;
		in->too_long |= in->len == PACKET_MAX;
		if (!in->too_long)
			in->data[in->len++] = byte;
		return PACKET_NONE;
	case IN_CHECK_1:
		in->check = byte;
		in->state = IN_CHECK_2;
		return PACKET_NONE;
	case IN_CHECK_2:
		break;
	}
	in->state = IN_NOTHING;
	in->data[in->len] = '\0';
	if (in->too_long || digit(in->check) != in->sum >> 4 || digit(byte) != (in->sum & 15))
		return PACKET_BROKEN;
	return PACKET_WHOLE;
}

void packet_begin(struct packet_out *out)
{
	out->data[0] = '$';
	out->len = 1;
}

static size_t room(const struct packet_out *out)
{
	return PACKET_MAX + 1 - out->len;
}

void packet_add(struct packet_out *out, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(out->data + out->len, room(out) + 1, format, args);
	va_end(args);
	out->len += MIN((size_t)MAX(len, 0), room(out));
}

void packet_add_hex(struct packet_out *out, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	for (; len && room(out) >= 2; len--, at++) {
		out->data[out->len++] = digits[*at >> 4];
		out->data[out->len++] = digits[*at & 15];
	}
}

void packet_end(struct packet_out *out)
{
	uint8_t sum = 0;
	size_t i;

	for (i = 1; i < out->len; i++)
		sum += (uint8_t)out->data[i];
	out->data[out->len++] = '#';
	out->data[out->len++] = digits[sum >> 4];
	out->data[out->len++] = digits[sum & 15];
	out->data[out->len] = '\0';
}

bool packet_number(const char **at, uint64_t *ret_number)
{
	uint64_t number = 0;
	const char *c;

	for (c = *at; digit(*c) >= 0; c++) {
		if (number >> 60)
			return false;
		number = number << 4 | (uint64_t)digit(*c);
	}
	if (c == *at)
		return false;
	*at = c;
	*ret_number = number;
	return true;
}

bool packet_char(const char **at, char wanted)
{
	if (!wanted || **at != wanted)
		return false;
	++*at;
	return true;
}

bool packet_hex(const char **at, void *to, size_t len)
{
	uint8_t *bytes = to;

	for (; len; len--, *at += 2) {
		int high = digit((*at)[0]), low = high < 0 ? -1 : digit((*at)[1]);

		if (low < 0)
			return false;
		*bytes++ = (uint8_t)(high << 4 | low);
	}
	return true;
}
