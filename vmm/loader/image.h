/*
 * A kernel or initrd to load: a file, or bytes that are built in. Files are read, never mapped: one that
 * shrinks while it is loaded gives an error, not a SIGBUS.
 */
#pragma once

#include <stdint.h>

struct error;

struct image {
	const char *name; /* for messages: the path */
	int fd;           /* -1: built in */
	const uint8_t *bytes;
	uint64_t size;
};

/* Opens a regular file that is not empty: 0, or -errno and *error (ERROR_IMAGE). */
int image_open(struct image *image, const char *path, struct error *error);

/* Bytes that stay the caller's. */
void image_from_bytes(struct image *image, const char *name, const void *bytes, uint64_t size);

void image_close(struct image *image);

/*
 * Reads [offset, offset+len): 0, or -EIO and *error when it is not all there. `what` names it for people:
 * "the ELF header".
 */
int image_read(const struct image *image, uint64_t offset, void *to, uint64_t len, const char *what,
	struct error *error);
