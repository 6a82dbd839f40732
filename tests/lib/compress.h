/* Compressed files, made in memory by the same libraries that unpack them. */
#pragma once

#include <stddef.h>

enum compress_format { COMPRESS_GZIP, COMPRESS_XZ, COMPRESS_ZSTD, COMPRESS_FORMATS };

/* "gzip", ... */
extern const char *const compress_names[COMPRESS_FORMATS];

/* Room that is always enough for len bytes, compressed. */
size_t compress_bound(size_t len);

/* Compresses len bytes, with a checksum, to out, which has compress_bound(len). Returns the size. */
size_t compress_bytes(enum compress_format format, const void *bytes, size_t len, void *out);

/* Compresses a file to another one: 0 or -errno. */
int compress_file(enum compress_format format, const char *from, const char *to);
