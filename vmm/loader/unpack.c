#include "loader/unpack.h"

#include <errno.h>
#include <stdlib.h>

#include "loader/decoder.h"
#include "loader/image.h"
#include "util/bytes.h"
#include "util/error.h"
#include "util/size.h"

struct unpacker {
	const struct image *image;
	const struct decoder_format *format;
	uint64_t max;
	/* The file from offset - (len - at) on. */
	uint8_t in[KIB(64)];
	size_t at, len;
	uint64_t offset;
	/* What was in it. */
	uint8_t *out;
	size_t size, room;
};

/* Has `want` bytes of the file ready, or as many as there are left. */
static int fill(struct unpacker *unpacker, size_t want, struct error *error)
{
	size_t rest = unpacker->len - unpacker->at, more;
	int err;

	if (rest >= want || unpacker->offset == unpacker->image->size)
		return 0;
	more = MIN(sizeof(unpacker->in) - rest, unpacker->image->size - unpacker->offset);
	memmove(unpacker->in, unpacker->in + unpacker->at, rest);
	err = image_read(
		unpacker->image, unpacker->offset, unpacker->in + rest, more, "the compressed data", error);
	if (err)
		return err;
	unpacker->at = 0;
	unpacker->len = rest + more;
	unpacker->offset += more;
	return 0;
}

/* For at least a byte, and for one more than may be: a file that fills it is too large. */
static int make_room(struct unpacker *unpacker, struct error *error)
{
	uint8_t *out;
	size_t room;

	if (unpacker->size < unpacker->room)
		return 0;
	room = MIN(MAX(2 * unpacker->room, MIB(1)), unpacker->max + 1);
	out = realloc(unpacker->out, room);
	if (!out) {
		return error_set(error, ERROR_VMM, -ENOMEM, "%s: no memory to unpack it: %s",
			unpacker->image->name, strerror(ENOMEM));
	}
	unpacker->out = out;
	unpacker->room = room;
	return 0;
}

/* Some of a member: 1 at its end, 0 if it goes on, or -errno and *error. */
static int decode_some(struct unpacker *unpacker, struct decoder *decoder, struct error *error)
{
	size_t rest = unpacker->len - unpacker->at, room = unpacker->room - unpacker->size;
	const char *name = unpacker->image->name, *format = unpacker->format->name, *why;
	char text[SIZE_TEXT_MAX];
	int result;

	decoder->in = unpacker->in + unpacker->at;
	decoder->in_len = rest;
	decoder->out = unpacker->out + unpacker->size;
	decoder->out_len = room;
	result = decoder_step(decoder, &why);
	unpacker->at += rest - decoder->in_len;
	unpacker->size += room - decoder->out_len;
	if (result < 0) {
		return error_set(error, result == -ENOMEM ? ERROR_VMM : ERROR_IMAGE, result,
			"%s: cannot be unpacked (%s): %s", name, format, why);
	}
	if (unpacker->size > unpacker->max) {
		return error_set(error, ERROR_IMAGE, -EFBIG,
			"%s: unpacks to more than %s; a kernel has to fit the guest's memory (-m), and 4 GiB",
			name, size_format(unpacker->max, text));
	}
	if (!result && decoder->in_len == rest && decoder->out_len == room) {
		return error_set(error, ERROR_IMAGE, -EIO,
			"%s: truncated: the file ends before its compressed data (%s)", name, format);
	}
	return result;
}

static int unpack_member(struct unpacker *unpacker, struct error *error)
{
	struct decoder decoder;
	int err = decoder_begin(&decoder, unpacker->format), result = 0;

	if (err) {
		return error_set(error, ERROR_VMM, err, "%s: no memory to unpack it: %s",
			unpacker->image->name, strerror(-err));
	}
	while (!err && !result) {
		err = fill(unpacker, 1, error);
		if (!err)
			err = make_room(unpacker, error);
		if (!err)
			result = decode_some(unpacker, &decoder, error);
	}
	decoder_end(&decoder);
	return err ? err : MIN(result, 0);
}

/* Another member may follow right behind, or behind zeroes that pad the file; all else is none of ours. */
static int find_member(struct unpacker *unpacker, bool *ret_found, struct error *error)
{
	int err;

	do {
		err = fill(unpacker, DECODER_MAGIC_MAX, error);
		while (unpacker->at < unpacker->len && !unpacker->in[unpacker->at])
			unpacker->at++;
	} while (!err && unpacker->at == unpacker->len && unpacker->offset < unpacker->image->size);
	if (!err)
		err = fill(unpacker, DECODER_MAGIC_MAX, error);
	*ret_found = !err && decoder_format_is(unpacker->format, unpacker->in + unpacker->at,
				     unpacker->len - unpacker->at);
	return err;
}

static int check_content(const struct unpacker *unpacker, struct error *error)
{
	const struct decoder_format *inner = decoder_find(unpacker->out, unpacker->size);

	if (!unpacker->size) {
		return error_set(error, ERROR_IMAGE, -ENODATA, "%s: nothing is in it (%s)",
			unpacker->image->name, unpacker->format->name);
	}
	if (inner) {
		return error_set(error, ERROR_IMAGE, -ENOEXEC,
			"%s: compressed twice, by %s and then by %s; lodge unpacks one of them",
			unpacker->image->name, inner->name, unpacker->format->name);
	}
	return 0;
}

static int unpack(struct image *image, const struct decoder_format *format, uint64_t max, struct error *error)
{
	struct unpacker unpacker = {.image = image, .format = format, .max = max};
	bool more;
	int err;

	do {
		err = unpack_member(&unpacker, error);
		if (!err)
			err = find_member(&unpacker, &more, error);
	} while (!err && more);
	if (!err)
		err = check_content(&unpacker, error);
	if (err)
		free(unpacker.out);
	else
		image_take(image, unpacker.out, unpacker.size, format->name);
	return err;
}

int image_unpack(struct image *image, uint64_t max, struct error *error)
{
	uint8_t magic[DECODER_MAGIC_MAX];
	size_t len = MIN(image->size, sizeof(magic));
	int err = image_read(image, 0, magic, len, "the first bytes", error);
	const struct decoder_format *format;

	if (err)
		return err;
	format = decoder_find(magic, len);
	return format ? unpack(image, format, max, error) : 0;
}
