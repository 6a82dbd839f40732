#include "lib/compress.h"

#include <errno.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

const char *const compress_names[COMPRESS_FORMATS] = {"gzip", "xz", "zstd"};

size_t compress_bound(size_t len)
{
	return len + len / 16 + 4096;
}

static size_t put_gzip(const void *bytes, size_t len, void *out, size_t size)
{
	z_stream stream = {
		.next_in = bytes, .avail_in = (unsigned)len, .next_out = out, .avail_out = (unsigned)size};

	if (deflateInit2(&stream, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
		deflate(&stream, Z_FINISH) != Z_STREAM_END)
		abort();
	deflateEnd(&stream);
	return stream.total_out;
}

static size_t put_xz(const void *bytes, size_t len, void *out, size_t size)
{
	lzma_stream stream = LZMA_STREAM_INIT;

	/* Not lzma_easy_buffer_encode(), whose headers differ from xz(1)'s. */
	if (lzma_easy_encoder(&stream, 0, LZMA_CHECK_CRC32) != LZMA_OK)
		abort();
	stream.next_in = bytes;
	stream.avail_in = len;
	stream.next_out = out;
	stream.avail_out = size;
	if (lzma_code(&stream, LZMA_FINISH) != LZMA_STREAM_END)
		abort();
	lzma_end(&stream);
	return stream.total_out;
}

static size_t put_zstd(const void *bytes, size_t len, void *out, size_t size)
{
	ZSTD_CCtx *context = ZSTD_createCCtx();
	size_t count;

	ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
	count = ZSTD_compress2(context, out, size, bytes, len);
	ZSTD_freeCCtx(context);
	if (ZSTD_isError(count))
		abort();
	return count;
}

size_t compress_bytes(enum compress_format format, const void *bytes, size_t len, void *out)
{
	static size_t (*const put[])(const void *, size_t, void *, size_t) = {put_gzip, put_xz, put_zstd};

	return put[format](bytes, len, out, compress_bound(len));
}

int compress_file(enum compress_format format, const char *from, const char *to)
{
	FILE *in = fopen(from, "r"), *out = fopen(to, "w");
	long len = in && !fseek(in, 0, SEEK_END) ? ftell(in) : -1;
	char *bytes = NULL, *packed = NULL;
	int err = -EIO;
	size_t size;

	if (len < 0 || !out)
		goto done;
	bytes = malloc((size_t)len);
	packed = malloc(compress_bound((size_t)len));
	rewind(in);
	if (!bytes || !packed || fread(bytes, 1, (size_t)len, in) != (size_t)len)
		goto done;
	size = compress_bytes(format, bytes, (size_t)len, packed);
	if (fwrite(packed, 1, size, out) == size)
		err = 0;
done:
	if (in)
		fclose(in);
	if (out && fclose(out))
		err = -EIO;
	free(bytes);
	free(packed);
	return err;
}
