/* Where `lodge run` listens for a debugger: --gdb. */
#pragma once

#include <stdint.h>

#include "cli/socket_file.h"

struct error;

/* Zeroed: no --gdb. */
struct gdb_option {
	const char *path; /* a unix socket; NULL: TCP, at 127.0.0.1 */
	uint16_t port;    /* 0: none */
};

/* What the option says: 0, or -EINVAL and *error. */
int gdb_option_parse(const char *value, struct gdb_option *ret_option, struct error *error);

/* Listens there: *ret_fd is to be closed, and *ret_file to be removed then. 0, or -errno and *error. */
int gdb_socket_open(
	const struct gdb_option *option, int *ret_fd, struct socket_file *ret_file, struct error *error);
