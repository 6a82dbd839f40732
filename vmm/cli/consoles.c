#include "cli/consoles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/commands.h"
#include "util/error.h"

static int cannot(struct error *error, const char *what, const char *path, int err)
{
	return error_set(error, ERROR_USAGE, err, "--console %s%s: %s", what, path, strerror(-err));
}

/* Keeps a descriptor, or -1, to be closed. Returns it, or -errno. */
static int keep(struct consoles *consoles, int fd)
{
	if (fd < 0)
		return -errno;
	return consoles->fds[consoles->fd_count++] = fd;
}

static int open_file(
	struct consoles *consoles, const char *path, struct lodge_console *ret_console, struct error *error)
{
	int fd = keep(
		consoles, TEMP_FAILURE_RETRY(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)));

	if (fd < 0)
		return cannot(error, "file=", path, fd);
	*ret_console = (struct lodge_console){.kind = LODGE_CONSOLE_STREAM, .in = -1, .out = fd};
	return 0;
}

static int open_pty(struct consoles *consoles, struct lodge_console *ret_console, struct error *error)
{
	int master = keep(consoles, posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)), slave;
	struct termios termios;
	char name[64], text[128];

	if (master < 0)
		return cannot(error, "pty", "", master);
	if (grantpt(master) || unlockpt(master) || ptsname_r(master, name, sizeof(name)))
		return cannot(error, "pty", "", -errno);
	/* Ours stays open, so that the pty outlives whoever opens and closes it. */
	slave = keep(consoles, open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
	if (slave < 0)
		return cannot(error, "pty: ", name, slave);
	if (tcgetattr(slave, &termios))
		return cannot(error, "pty: ", name, -errno);
	cfmakeraw(&termios);
	if (tcsetattr(slave, TCSANOW, &termios))
		return cannot(error, "pty: ", name, -errno);
	snprintf(text, sizeof(text), "the console is at %s", name);
	print_error("run", text);
	*ret_console = (struct lodge_console){.kind = LODGE_CONSOLE_VIEWER, .in = master, .out = master};
	return 0;
}

static int open_socket(
	struct consoles *consoles, const char *path, struct lodge_console *ret_console, struct error *error)
{
	struct socket_file *file = &consoles->sockets[consoles->socket_count];
	int fd, err = socket_file_listen("--console socket=", path, &fd, file, error);

	if (err)
		return err;
	consoles->socket_count++;
	*ret_console =
		(struct lodge_console){.kind = LODGE_CONSOLE_LISTEN, .in = keep(consoles, fd), .out = -1};
	return 0;
}

/* Here, or where our other half has it, which may leave at any time. */
static void open_stdio(struct consoles *consoles, int terminal_fd, struct lodge_console *ret_console)
{
	if (terminal_fd >= 0) {
		*ret_console = (struct lodge_console){
			.kind = LODGE_CONSOLE_VIEWER, .in = terminal_fd, .out = terminal_fd};
		keep(consoles, terminal_fd);
		return;
	}
	consoles->stdio = true;
	*ret_console = (struct lodge_console){
		.kind = LODGE_CONSOLE_STREAM,
		.in = STDIN_FILENO,
		.out = STDOUT_FILENO,
		.escape = isatty(STDIN_FILENO),
	};
}

static int open_one(
	struct consoles *consoles, const struct console_option *option, int terminal_fd, struct error *error)
{
	struct lodge_console *console = &consoles->list[consoles->count];
	int err = 0;

	switch (option->where) {
	case CONSOLE_NONE:
		return 0;
	case CONSOLE_STDIO:
		open_stdio(consoles, terminal_fd, console);
		break;
	case CONSOLE_FILE:
		err = open_file(consoles, option->path, console, error);
		break;
	case CONSOLE_PTY:
		err = open_pty(consoles, console, error);
		break;
	case CONSOLE_SOCKET:
		err = open_socket(consoles, option->path, console, error);
		break;
	}
	if (!err)
		consoles->count++;
	return err;
}

int consoles_open(struct consoles *consoles, const struct console_option *options, unsigned count,
	int terminal_fd, struct error *error)
{
	int err = 0;
	unsigned i;

	*consoles = (struct consoles){0};
	for (i = 0; !err && i < count; i++)
		err = open_one(consoles, &options[i], terminal_fd, error);
	return err;
}

void consoles_add_listener(struct consoles *consoles, int fd)
{
	consoles->list[consoles->count++] =
		(struct lodge_console){.kind = LODGE_CONSOLE_LISTEN, .in = fd, .out = -1};
}

void consoles_close(struct consoles *consoles)
{
	while (consoles->socket_count)
		socket_file_remove(&consoles->sockets[--consoles->socket_count]);
	while (consoles->fd_count)
		close(consoles->fds[--consoles->fd_count]);
}
