#include "loader/image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/error.h"

static int check_file(struct image *image, struct error *error)
{
	struct stat st;

	if (fstat(image->fd, &st))
		return error_set(error, ERROR_IMAGE, -errno, "%s: %s", image->name, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return error_set(error, ERROR_IMAGE, -EISDIR, "%s: is a directory, not a file", image->name);
	if (!S_ISREG(st.st_mode)) {
		return error_set(error, ERROR_IMAGE, -EINVAL,
			"%s: not a regular file; copy it into one first", image->name);
	}
	if (!st.st_size)
		return error_set(error, ERROR_IMAGE, -ENODATA, "%s: the file is empty", image->name);
	image->size = (uint64_t)st.st_size;
	return 0;
}

int image_open(struct image *image, const char *path, struct error *error)
{
	int err;

	/* O_NONBLOCK: a FIFO must not hang us here. */
	*image = (struct image){
		.name = path, .fd = TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK))};
	if (image->fd < 0) {
		err = errno;
		return error_set(error, ERROR_IMAGE, -err, "%s: %s", path, strerror(err));
	}
	err = check_file(image, error);
	if (err)
		image_close(image);
	return err;
}

void image_from_bytes(struct image *image, const char *name, const void *bytes, uint64_t size)
{
	*image = (struct image){.name = name, .fd = -1, .bytes = bytes, .size = size};
}

void image_take(struct image *image, uint8_t *bytes, uint64_t size, const char *compression)
{
	const char *name = image->name;

	image_close(image);
	image_from_bytes(image, name, bytes, size);
	image->unpacked = bytes;
	image->compression = compression;
}

void image_close(struct image *image)
{
	if (image->name && image->fd >= 0)
		close(image->fd);
	free(image->unpacked);
	*image = (struct image){.fd = -1};
}

int image_read(const struct image *image, uint64_t offset, void *to, uint64_t len, const char *what,
	struct error *error)
{
	uint8_t *place = to;

	if (!range_inside(offset, len, 0, image->size)) {
		return error_set(error, ERROR_IMAGE, -EIO,
			"%s: truncated: %s should lie at bytes %" PRIu64 " to %" PRIu64
			", but the file has %" PRIu64,
			image->name, what, offset, offset + len, image->size);
	}
	if (image->bytes) {
		memcpy(to, image->bytes + offset, len);
		return 0;
	}
	while (len) {
		ssize_t count = pread(image->fd, place, MIN(len, MIB(1024)), (off_t)offset);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0) {
			return error_set(error, ERROR_IMAGE, -EIO, "%s: reading %s: %s", image->name, what,
				count ? strerror(errno) : "the file shrank meanwhile");
		}
		place += count;
		offset += (uint64_t)count;
		len -= (uint64_t)count;
	}
	return 0;
}
