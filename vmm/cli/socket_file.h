/* Listening unix sockets with a name in the file system, for this user alone. */
#pragma once

#include <sys/types.h>

struct error;

/* A socket's file, to be removed: the one that we made, not what another made in its place. */
struct socket_file {
	int folder;       /* that it is in, kept open: nothing is reached by its path later on */
	const char *name; /* in there; NULL: none */
	dev_t dev;
	ino_t ino;
};

/*
 * Listens at path, which has to outlive *ret_file; a socket that nobody listens at any more is replaced. `option` is how
 * errors (ERROR_USAGE) begin. 0 or -errno.
 */
int socket_file_listen(
	const char *option, const char *path, int *ret_fd, struct socket_file *ret_file, struct error *error);

/* Removes it. Zeroed ones too. */
void socket_file_remove(const struct socket_file *file);
