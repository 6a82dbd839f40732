#include "cli/gdb_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/options.h"
#include "util/error.h"
#include "util/size.h"

#define TCP_PREFIX  "tcp:127.0.0.1:"
#define UNIX_PREFIX "unix:"

int gdb_option_parse(const char *value, struct gdb_option *ret_option, struct error *error)
{
	uint64_t port;

	if (!strncmp(value, UNIX_PREFIX, strlen(UNIX_PREFIX)) && value[strlen(UNIX_PREFIX)]) {
		*ret_option = (struct gdb_option){.path = value + strlen(UNIX_PREFIX)};
		return 0;
	}
	if (!strncmp(value, TCP_PREFIX, strlen(TCP_PREFIX)) &&
		!number_parse(value + strlen(TCP_PREFIX), 1, UINT16_MAX, &port)) {
		*ret_option = (struct gdb_option){.port = (uint16_t)port};
		return 0;
	}
	if (!strncmp(value, "tcp:", 4) && strncmp(value, TCP_PREFIX, strlen(TCP_PREFIX)) != 0) {
		return option_bad_value(error, "--gdb", value,
			"a debugger has the whole guest, so only 127.0.0.1 is listened at: tcp:127.0.0.1:PORT");
	}
	return option_bad_value(error, "--gdb", value, "not one of unix:PATH, tcp:127.0.0.1:PORT");
}

static int open_tcp(uint16_t port, int *ret_fd, struct error *error)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err;
	const int on = 1;

	/* A port that a guest had a moment ago may be had again. */
	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
		!bind(fd, (const struct sockaddr *)&address, sizeof(address)) && !listen(fd, 1)) {
		*ret_fd = fd;
		return 0;
	}
	err = -errno;
	if (fd >= 0)
		close(fd);
	return error_set(error, ERROR_USAGE, err, "--gdb " TCP_PREFIX "%u: %s", port, strerror(-err));
}

int gdb_socket_open(
	const struct gdb_option *option, int *ret_fd, struct socket_file *ret_file, struct error *error)
{
	if (option->path)
		return socket_file_listen("--gdb " UNIX_PREFIX, option->path, ret_fd, ret_file, error);
	return open_tcp(option->port, ret_fd, error);
}
