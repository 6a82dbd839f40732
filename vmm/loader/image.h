/*
 * A kernel or initrd to load: a file, or bytes that are built in or were unpacked. Files are read, never mapped:
 * one that shrinks while it is loaded gives an error, not a SIGBUS.
 */
#pragma once

#include <stdint.h>

struct error;

struct image {
	const char *name; /* for messages: the path */
	int fd;           /* -1: there are bytes */
	const uint8_t *bytes;
	uint64_t size;
	const char *compression; /* what the bytes were unpacked from, static: "gzip"; NULL: nothing */
	uint8_t *unpacked;       /* the bytes again, where they are the image's own */
};

/* Opens a regular file that is not empty: 0, or -errno and *error (ERROR_IMAGE). */
int image_open(struct image *image, const char *path, struct error *error);

/* Bytes that stay the caller's. */
void image_from_bytes(struct image *image, const char *name, const void *bytes, uint64_t size);

/* What was in the file, in malloc()ed bytes, takes the file's place; they become the image's. */
void image_take(struct image *image, uint8_t *bytes, uint64_t size, const char *compression);

void image_close(struct image *image);

/*
 * Reads [offset, offset+len): 0, or -EIO and *error when it is not all there. `what` names it for people:
 * "the ELF header".
 */
int image_read(const struct image *image, uint64_t offset, void *to, uint64_t len, const char *what,
	struct error *error);
