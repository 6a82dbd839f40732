/*
 * The formats that a file may be compressed in, each by its own library, behind one face. A compressed file is
 * one member or several, one behind the other; each is decoded for itself.
 */
#pragma once

#include <lzma.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

struct decoder;

struct decoder_format {
	const char *name; /* "gzip" */
	const char *magic;
	size_t magic_len;
	int (*begin)(struct decoder *decoder);
	int (*step)(struct decoder *decoder, const char **ret_why);
	void (*end)(struct decoder *decoder);
};

#define DECODER_MAGIC_MAX 6 /* the longest magic */

struct decoder {
	const struct decoder_format *format;
	const uint8_t *in; /* what is there to read, and where to write */
	size_t in_len;
	uint8_t *out;
	size_t out_len;
	union {
		z_stream gzip;
		lzma_stream xz;
		ZSTD_DStream *zstd;
	} state;
};

/* Whether a member of that format begins with these bytes. */
bool decoder_format_is(const struct decoder_format *format, const uint8_t *bytes, size_t len);

/* The format of a file that begins with these bytes; NULL: none of ours. */
const struct decoder_format *decoder_find(const uint8_t *bytes, size_t len);

/* Begins a member: 0 or -ENOMEM. */
int decoder_begin(struct decoder *decoder, const struct decoder_format *format);

/*
 * Decodes some of what lies at in to out, and moves both on. 1: the member has ended, and its checksum is right;
 * 0: it goes on, and if neither has moved it wants more input; else -EBADMSG, -EOPNOTSUPP or -ENOMEM, and
 * *ret_why (static) for people.
 */
int decoder_step(struct decoder *decoder, const char **ret_why);

/* Zeroed decoders too. */
void decoder_end(struct decoder *decoder);
