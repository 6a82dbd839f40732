#include "loader/decoder.h"

#include <errno.h>
#include <zstd_errors.h>

#include "util/bytes.h"

/* What a file may have a decoder allocate, whatever it says of itself. */
#define XZ_MEMORY_MAX       MIB(256) /* xz -9 takes 65 */
#define ZSTD_WINDOW_LOG_MAX 27       /* 128 MiB, as for zstd(1); zstd -22 --ultra has that */

#define DECODER_AT_ONCE MIB(64) /* zlib counts in unsigned int */

static void moved(struct decoder *decoder, size_t in, size_t out)
{
	decoder->in += in;
	decoder->in_len -= in;
	decoder->out += out;
	decoder->out_len -= out;
}

static int gzip_begin(struct decoder *decoder)
{
	/* 16: a gzip header and trailer, and no other */
	return inflateInit2(&decoder->state.gzip, 16 + MAX_WBITS) == Z_OK ? 0 : -ENOMEM;
}

static int gzip_step(struct decoder *decoder, const char **ret_why)
{
	z_stream *stream = &decoder->state.gzip;
	unsigned in = (unsigned)MIN(decoder->in_len, DECODER_AT_ONCE);
	unsigned out = (unsigned)MIN(decoder->out_len, DECODER_AT_ONCE);
	int result;

	stream->next_in = decoder->in;
	stream->avail_in = in;
	stream->next_out = decoder->out;
	stream->avail_out = out;
	result = inflate(stream, Z_NO_FLUSH);
	moved(decoder, in - stream->avail_in, out - stream->avail_out);
	switch (result) {
	case Z_STREAM_END:
		return 1;
	case Z_OK:
	case Z_BUF_ERROR: /* nothing could be done */
		return 0;
	case Z_MEM_ERROR:
		*ret_why = "out of memory";
		return -ENOMEM;
	default:
		*ret_why = stream->msg ? stream->msg : "it is damaged";
		return -EBADMSG;
	}
}

static void gzip_end(struct decoder *decoder)
{
	inflateEnd(&decoder->state.gzip);
}

static int xz_begin(struct decoder *decoder)
{
	decoder->state.xz = (lzma_stream)LZMA_STREAM_INIT;
	return lzma_stream_decoder(&decoder->state.xz, XZ_MEMORY_MAX, 0) == LZMA_OK ? 0 : -ENOMEM;
}

static int xz_step(struct decoder *decoder, const char **ret_why)
{
	lzma_stream *stream = &decoder->state.xz;
	lzma_ret result;

	stream->next_in = decoder->in;
	stream->avail_in = decoder->in_len;
	stream->next_out = decoder->out;
	stream->avail_out = decoder->out_len;
	result = lzma_code(stream, LZMA_RUN);
	moved(decoder, decoder->in_len - stream->avail_in, decoder->out_len - stream->avail_out);
	switch (result) {
	case LZMA_STREAM_END:
		return 1;
	case LZMA_OK:
	case LZMA_BUF_ERROR: /* nothing could be done */
		return 0;
	case LZMA_MEM_ERROR:
		*ret_why = "out of memory";
		return -ENOMEM;
	case LZMA_MEMLIMIT_ERROR:
		*ret_why = "that takes more than 256 MiB; compress it with a smaller dictionary";
		return -EOPNOTSUPP;
	case LZMA_OPTIONS_ERROR:
		*ret_why = "its options are unknown, or damaged";
		return -EOPNOTSUPP;
	default:
		*ret_why = "it is damaged";
		return -EBADMSG;
	}
}

static void xz_end(struct decoder *decoder)
{
	lzma_end(&decoder->state.xz);
}

static int zstd_begin(struct decoder *decoder)
{
	decoder->state.zstd = ZSTD_createDStream();
	if (!decoder->state.zstd)
		return -ENOMEM;
	ZSTD_DCtx_setParameter(decoder->state.zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
	return 0;
}

static int zstd_step(struct decoder *decoder, const char **ret_why)
{
	ZSTD_inBuffer in = {decoder->in, decoder->in_len, 0};
	ZSTD_outBuffer out = {decoder->out, decoder->out_len, 0};
	size_t result = ZSTD_decompressStream(decoder->state.zstd, &out, &in);

	moved(decoder, in.pos, out.pos);
	if (!ZSTD_isError(result))
		return !result;
	switch (ZSTD_getErrorCode(result)) {
	case ZSTD_error_memory_allocation:
		*ret_why = "out of memory";
		return -ENOMEM;
	case ZSTD_error_frameParameter_windowTooLarge:
		*ret_why = "its window is larger than 128 MiB; compress it without --long";
		return -EOPNOTSUPP;
	default:
		*ret_why = ZSTD_getErrorName(result);
		return -EBADMSG;
	}
}

static void zstd_end(struct decoder *decoder)
{
	ZSTD_freeDStream(decoder->state.zstd);
}

static const struct decoder_format formats[] = {
	/* clang-format off */
	{"gzip", "\x1f\x8b\x08", 3, gzip_begin, gzip_step, gzip_end}, /* 8: deflate, the only method */
	{"xz", "\xfd\x37zXZ\0", 6, xz_begin, xz_step, xz_end},
	{"zstd", "\x28\xb5\x2f\xfd", 4, zstd_begin, zstd_step, zstd_end},
	/* clang-format on */
};

bool decoder_format_is(const struct decoder_format *format, const uint8_t *bytes, size_t len)
{
	return len >= format->magic_len && !memcmp(bytes, format->magic, format->magic_len);
}

const struct decoder_format *decoder_find(const uint8_t *bytes, size_t len)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		if (decoder_format_is(&formats[i], bytes, len))
			return &formats[i];
	}
	return NULL;
}

int decoder_begin(struct decoder *decoder, const struct decoder_format *format)
{
	int err;

	*decoder = (struct decoder){.format = format};
	err = format->begin(decoder);
	if (err)
		decoder->format = NULL;
	return err;
}

int decoder_step(struct decoder *decoder, const char **ret_why)
{
	return decoder->format->step(decoder, ret_why);
}

void decoder_end(struct decoder *decoder)
{
	if (decoder->format)
		decoder->format->end(decoder);
	*decoder = (struct decoder){0};
}
