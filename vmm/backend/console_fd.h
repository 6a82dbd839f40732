/*
 * A descriptor of the caller's that is read or written without ever blocking, and without a change to its flags:
 * other processes may share it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "event/loop.h"

struct console_fd {
	struct event_source source; /* .fd -1: closed */
	bool owned;                 /* a twin of the caller's, or given to us: to be closed */
	bool socket;
	bool pollable;     /* regular files are not: they are always ready */
	size_t block_free; /* not 0: there is no non-blocking twin; the most that may be written at once */
};

/* flags: O_RDONLY or O_WRONLY. 0 or -errno; source.ready and .ctx are left alone. */
int console_fd_open(struct console_fd *fd, int from, int flags);

/* Takes over a non-blocking socket of ours. */
void console_fd_adopt(struct console_fd *fd, int socket);

/* Takes it out of the loop; closed ones too. */
void console_fd_close(struct console_fd *fd, struct event_loop *loop);

/* As read() and write(), but EAGAIN instead of waiting, and no SIGPIPE from sockets. */
ssize_t console_fd_read(const struct console_fd *fd, void *to, size_t len);
ssize_t console_fd_write(const struct console_fd *fd, const void *from, size_t len);
