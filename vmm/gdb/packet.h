/*
 * Packets of GDB's remote serial protocol ("Remote Protocol" in GDB's manual): bytes in, bytes out, nothing else. Binary
 * data, and with it escapes, are in none of those that lodge knows.
 * Numbers are hexadecimal; memory and registers are two digits a byte, in the order of memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_MAX 4096 /* bytes between '$' and '#': what qSupported tells as PacketSize */

enum packet_event {
	PACKET_NONE,    /* nothing yet */
	PACKET_WHOLE,   /* data[0..len) is a packet, with a NUL behind it */
	PACKET_BROKEN,  /* its checksum is wrong, or it was too long */
	PACKET_REFUSED, /* '-': the other side wants our last one again */
	PACKET_BREAK,   /* 0x03 */
	PACKET_GARBAGE, /* no debugger says this between packets */
};

/* Zeroed at first. */
struct packet_in {
	enum { IN_NOTHING, IN_DATA, IN_CHECK_1, IN_CHECK_2 } state;
	bool too_long;
	uint8_t sum;
	char check;
	size_t len;
	char data[PACKET_MAX + 1];
};

enum packet_event packet_take(struct packet_in *in, char byte);

/* A packet to be sent, from its '$' on. */
struct packet_out {
	size_t len;
	char data[PACKET_MAX + 5]; /* with '$', "#xx" and a NUL */
};

void packet_begin(struct packet_out *out);
/* What passes PACKET_MAX is cut off. */
void packet_add(struct packet_out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void packet_add_hex(struct packet_out *out, const void *bytes, size_t len);
void packet_end(struct packet_out *out);

/* Reads a number and steps over it: false if there is none, or more than 64 bits. */
bool packet_number(const char **at, uint64_t *ret_number);
/* Steps over a character: false if it is not there. */
bool packet_char(const char **at, char wanted);
/* Reads `len` bytes of two digits each, and steps over them: false if one is missing. */
bool packet_hex(const char **at, void *to, size_t len);
