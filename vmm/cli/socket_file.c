#include "cli/socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/error.h"

#define BACKLOG 32

static int cannot(struct error *error, const char *option, const char *path, int err)
{
	return error_set(error, ERROR_USAGE, err, "%s%s: %s", option, path, strerror(-err));
}

/* A socket's file outlives its owner: who cannot be reached there has gone. */
static int remove_stale(
	const char *option, const char *path, const struct sockaddr_un *address, struct error *error)
{
	int fd, err = 0;
	struct stat st;

	if (lstat(path, &st))
		return cannot(error, option, path, -errno);
	if (!S_ISSOCK(st.st_mode)) {
		return error_set(error, ERROR_USAGE, -EEXIST,
			"%s%s: there is another file of that name; choose another, or remove it", option,
			path);
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return cannot(error, option, path, -errno);
	if (!connect(fd, (const struct sockaddr *)address, sizeof(*address)) || errno != ECONNREFUSED) {
		err = error_set(error, ERROR_USAGE, -EADDRINUSE,
			"%s%s: another process listens there; choose another name", option, path);
	} else if (unlink(path)) {
		err = cannot(error, option, path, -errno);
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

int socket_file_listen(
	const char *option, const char *path, int *ret_fd, struct socket_file *ret_file, struct error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;
	int fd, folder, err;

	if (strlen(path) >= sizeof(address.sun_path)) {
		return error_set(error, ERROR_USAGE, -ENAMETOOLONG,
			"%s%s: longer than the %zu bytes that a socket's name can have", option, path,
			sizeof(address.sun_path) - 1);
	}
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return cannot(error, option, path, -errno);
	err = bind_private(fd, &address);
	if (err == -EADDRINUSE) {
		err = remove_stale(option, path, &address, error);
		if (err)
			goto fail;
		err = bind_private(fd, &address);
	}
	if (!err && (listen(fd, BACKLOG) || lstat(path, &st)))
		err = -errno;
	folder = err ? -1 : open_folder(path);
	if (!err && folder < 0)
		err = -errno;
	if (err) {
		cannot(error, option, path, err);
		goto fail;
	}
	*ret_fd = fd;
	*ret_file = (struct socket_file){
		.folder = folder,
		.name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path,
		.dev = st.st_dev,
		.ino = st.st_ino,
	};
	return 0;
fail:
	close(fd);
	return err;
}

void socket_file_remove(const struct socket_file *file)
{
	struct stat st;

	if (!file->name)
		return;
	if (!fstatat(file->folder, file->name, &st, AT_SYMLINK_NOFOLLOW) && st.st_dev == file->dev &&
		st.st_ino == file->ino)
		unlinkat(file->folder, file->name, 0);
	close(file->folder);
}
