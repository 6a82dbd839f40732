#include "cli/consoles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "cli/commands.h"
#include "util/error.h"

#define BACKLOG 32

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

/* A socket's file outlives its owner: who cannot be reached there has gone. */
static int remove_stale(const char *path, const struct sockaddr_un *address, struct error *error)
{
	int fd, err = 0;
	struct stat st;

	if (lstat(path, &st))
		return cannot(error, "socket=", path, -errno);
	if (!S_ISSOCK(st.st_mode)) {
		return error_set(error, ERROR_USAGE, -EEXIST,
			"--console socket=%s: there is another file of that name; choose another, or remove it",
			path);
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return cannot(error, "socket=", path, -errno);
	if (!connect(fd, (const struct sockaddr *)address, sizeof(*address)) || errno != ECONNREFUSED) {
		err = error_set(error, ERROR_USAGE, -EADDRINUSE,
			"--console socket=%s: another process listens there; choose another name", path);
	} else if (unlink(path)) {
		err = cannot(error, "socket=", path, -errno);
	}
	close(fd);
	return err;
}

/* For this user alone, from its first moment on. */
static int bind_private(int fd, const struct sockaddr_un *address)
{
	mode_t before = umask(0177);
	int err = bind(fd, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;

	umask(before);
	return err;
}

/* The folder of a socket that fits into an address. */
static int open_folder(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	const char *slash = strrchr(path, '/');

	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	return open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int open_socket(
	struct consoles *consoles, const char *path, struct lodge_console *ret_console, struct error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;
	int fd, folder, err;

	if (strlen(path) >= sizeof(address.sun_path)) {
		return error_set(error, ERROR_USAGE, -ENAMETOOLONG,
			"--console socket=%s: longer than the %zu bytes that a socket's name can have", path,
			sizeof(address.sun_path) - 1);
	}
	memcpy(address.sun_path, path, strlen(path));
	fd = keep(consoles, socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	if (fd < 0)
		return cannot(error, "socket=", path, fd);
	err = bind_private(fd, &address);
	if (err == -EADDRINUSE) {
		err = remove_stale(path, &address, error);
		if (err)
			return err;
		err = bind_private(fd, &address);
	}
	if (!err && (listen(fd, BACKLOG) || lstat(path, &st)))
		err = -errno;
	folder = err ? err : keep(consoles, open_folder(path));
	if (folder < 0)
		return cannot(error, "socket=", path, folder);
	consoles->sockets[consoles->socket_count++] = (struct socket_file){
		.folder = folder,
		.name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path,
		.dev = st.st_dev,
		.ino = st.st_ino,
	};
	*ret_console = (struct lodge_console){.kind = LODGE_CONSOLE_LISTEN, .in = fd, .out = -1};
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
	while (consoles->socket_count) {
		const struct socket_file *file = &consoles->sockets[--consoles->socket_count];
		struct stat st;

		if (!fstatat(file->folder, file->name, &st, AT_SYMLINK_NOFOLLOW) && st.st_dev == file->dev &&
			st.st_ino == file->ino)
			unlinkat(file->folder, file->name, 0);
	}
	while (consoles->fd_count)
		close(consoles->fds[--consoles->fd_count]);
}
