/* The consoles of `lodge run`: what --console names, opened for the library. */
#pragma once

#include <stdbool.h>

#include "cli/socket_file.h"
#include "lodge.h"

struct error;

enum console_where { CONSOLE_STDIO, CONSOLE_NONE, CONSOLE_FILE, CONSOLE_PTY, CONSOLE_SOCKET };

/* One --console. */
struct console_option {
	enum console_where where;
	const char *path; /* CONSOLE_FILE, CONSOLE_SOCKET */
};

/* One more than these may be added. */
#define CONSOLE_OPTIONS_MAX (LODGE_CONSOLES_MAX - 1)

struct consoles {
	struct lodge_console list[LODGE_CONSOLES_MAX]; /* for lodge_config.consoles */
	unsigned count;
	bool stdio; /* one of them is standard input and output */
	int fds[3 * LODGE_CONSOLES_MAX];
	unsigned fd_count;
	struct socket_file sockets[LODGE_CONSOLES_MAX];
	unsigned socket_count;
};

/*
 * Opens up to CONSOLE_OPTIONS_MAX of them, and says on stderr which pty is one: 0, or -errno and *error. To be
 * closed in any case; paths are the options'. terminal_fd is a socket to whoever has our terminal, or -1: it stands for
 * stdio then.
 */
int consoles_open(struct consoles *consoles, const struct console_option *options, unsigned count,
	int terminal_fd, struct error *error);

/* Adds a listening socket of somebody else's. */
void consoles_add_listener(struct consoles *consoles, int fd);

/* Closes them, and removes the sockets' files. Zeroed ones too, and twice. */
void consoles_close(struct consoles *consoles);
