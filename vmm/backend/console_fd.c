#include "backend/console_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void adopt_twin(struct console_fd *fd, int twin)
{
	if (twin < 0)
		return;
	fd->source.fd = twin;
	fd->owned = true;
}

/*
 * O_NONBLOCK belongs to the open file, which other processes share: a terminal's shell, the far end of a
 * pipeline. So pipes and character devices are opened anew through /proc, and sockets used with MSG_DONTWAIT.
 * Without /proc the caller's own descriptor has to do; it is then used only when it is ready.
 */
int console_fd_open(struct console_fd *fd, int from, int flags)
{
	bool master, fifo, device;
	struct stat st;
	char path[32];
	int pty;

	if (fstat(from, &st))
		return -errno;
	fifo = S_ISFIFO(st.st_mode);
	device = S_ISCHR(st.st_mode);
	/* Opened anew, a pty's master would be that of another pty. */
	master = device && !ioctl(from, TIOCGPTN, &pty);
	fd->source.fd = from;
	fd->socket = S_ISSOCK(st.st_mode);
	fd->pollable = !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode);
	if ((fifo || device) && !master) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", from);
		adopt_twin(fd, open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
	} else if (fd->pollable) {
		/* One descriptor may serve both ways, but epoll takes each only once. */
		adopt_twin(fd, fcntl(from, F_DUPFD_CLOEXEC, 0));
	}
	/* A blocking pipe that polls writable takes PIPE_BUF bytes without blocking; a terminal, only one. */
	if (fd->pollable && !fd->socket && !(fcntl(fd->source.fd, F_GETFL) & O_NONBLOCK))
		fd->block_free = fifo ? PIPE_BUF : 1;
	return 0;
}

void console_fd_adopt(struct console_fd *fd, int socket)
{
	fd->source.fd = socket;
	fd->owned = fd->socket = fd->pollable = true;
	fd->block_free = 0;
}

void console_fd_close(struct console_fd *fd, struct event_loop *loop)
{
	event_loop_remove(loop, &fd->source);
	if (fd->owned)
		close(fd->source.fd);
	fd->source.fd = -1;
	fd->owned = false;
}

static bool not_ready(const struct console_fd *fd, short events)
{
	struct pollfd poll_fd = {.fd = fd->source.fd, .events = events};

	if (!fd->block_free || poll(&poll_fd, 1, 0) > 0)
		return false;
	errno = EAGAIN;
	return true;
}

ssize_t console_fd_read(const struct console_fd *fd, void *to, size_t len)
{
	if (not_ready(fd, POLLIN))
		return -1;
	if (fd->socket)
		return recv(fd->source.fd, to, len, MSG_DONTWAIT);
	return read(fd->source.fd, to, len);
}

ssize_t console_fd_write(const struct console_fd *fd, const void *from, size_t len)
{
	if (not_ready(fd, POLLOUT))
		return -1;
	if (fd->socket)
		return send(fd->source.fd, from, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return write(fd->source.fd, from, len);
}
