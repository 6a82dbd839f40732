#include "bus/doorbell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int doorbell_init(struct doorbell *bell)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (fd == 0) {
		/* Someone closed stdin. A zeroed doorbell has fd 0 as well and must not look like
		 * ours. */
		int moved = fcntl(fd, F_DUPFD_CLOEXEC, 1);
		int err = -errno;

		close(fd);
		if (moved < 0)
			return err;
		fd = moved;
	}
	bell->fd = fd;
	return 0;
}

void doorbell_fini(struct doorbell *bell)
{
	if (bell->fd > 0)
		close(bell->fd);
	bell->fd = -1;
}

void doorbell_ring(const struct doorbell *bell)
{
	const uint64_t one = 1;
	/* It fails only when the count is at its top: then it rings already. */
	ssize_t ignored = write(bell->fd, &one, sizeof(one));

	(void)ignored;
}

void doorbell_clear(const struct doorbell *bell)
{
	uint64_t count;
	/* It fails only when nobody rang. */
	ssize_t ignored = read(bell->fd, &count, sizeof(count));

	(void)ignored;
}
