/* The other side of the sockets: who looks for a guest, asks it, and waits for its answer. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/runtime_dir.h"
#include "lodge_control.h"
#include "machine/lodge_error.h"
#include "util/clock.h"
#include "util/error.h"

#define CONNECT_TIMEOUT_S 5

struct lodge_client {
	char name[LODGE_NAME_MAX + 1];
	int fd;
	pid_t pid;
	char *in; /* what has arrived; `line` bytes of it were handed out */
	size_t in_len, in_size, line;
};

static int connect_to(const char *name, const char *file, int *ret_fd, struct error *error)
{
	const struct timeval patience = {.tv_sec = CONNECT_TIMEOUT_S}, for_ever = {0};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, err = runtime_look(name, error);

	if (!err)
		err = runtime_path(name, file, address.sun_path, error);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* A process that stands still takes no one: then its backlog is full some time. */
	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) &&
		!TEMP_FAILURE_RETRY(connect(fd, (const struct sockaddr *)&address, sizeof(address)))) {
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &for_ever, sizeof(for_ever));
		*ret_fd = fd;
		return 0;
	}
	err = -errno;
	if (fd >= 0)
		close(fd);
	/* It was there a moment ago: it is on its way out, or not yet in. */
	if (err == -ENOENT || err == -ECONNREFUSED)
		return error_set(
			error, ERROR_USAGE, -ESRCH, "'%s': this guest is just starting or ending", name);
	if (err == -EAGAIN)
		return error_set(error, ERROR_VMM, -ETIMEDOUT, "'%s': its process does not answer", name);
	return error_set(error, ERROR_HOST, err, "'%s': %s", name, strerror(-err));
}

int lodge_guests_list(char ***ret_names, unsigned *ret_count, struct lodge_error *ret_error)
{
	struct error error;
	int err = runtime_list(ret_names, ret_count, &error);

	return err ? lodge_error_from(&error, err, ret_error) : 0;
}

int lodge_guest_console(const char *name, int *ret_fd, struct lodge_error *ret_error)
{
	struct error error;
	int err = connect_to(name, CONSOLE_SOCKET, ret_fd, &error);

	return err ? lodge_error_from(&error, err, ret_error) : 0;
}

int lodge_client_new(const char *name, struct lodge_client **ret_client, struct lodge_error *ret_error)
{
	struct error error = {.kind = ERROR_VMM, .text = "out of memory"};
	struct lodge_client *client = calloc(1, sizeof(*client));
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);
	int err = -ENOMEM;

	if (!client)
		return lodge_error_from(&error, err, ret_error);
	snprintf(client->name, sizeof(client->name), "%s", name);
	client->fd = -1;
	err = connect_to(name, CONTROL_SOCKET, &client->fd, &error);
	if (err) {
		lodge_client_free(client);
		return lodge_error_from(&error, err, ret_error);
	}
	if (!getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		client->pid = peer.pid;
	*ret_client = client;
	return 0;
}

void lodge_client_free(struct lodge_client *client)
{
	if (!client)
		return;
	if (client->fd >= 0)
		close(client->fd);
	free(client->in);
	free(client);
}

int lodge_client_fd(const struct lodge_client *client)
{
	return client->fd;
}

int lodge_client_pid(const struct lodge_client *client)
{
	return client->pid;
}

static int gone(const struct lodge_client *client, int err, struct lodge_error *ret_error)
{
	struct error error;

	if (err == -EPIPE || err == -ECONNRESET) {
		err = error_set(&error, ERROR_VMM, -ECONNRESET, "'%s': its process, %d, is gone",
			client->name, (int)client->pid);
	} else if (err == -ETIMEDOUT) {
		error_set(&error, ERROR_VMM, err, "'%s': its process, %d, does not answer", client->name,
			(int)client->pid);
	} else {
		error_set(&error, ERROR_VMM, err, "'%s': %s", client->name, strerror(-err));
	}
	return lodge_error_from(&error, err, ret_error);
}

static int send_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t count = send(fd, bytes, len, MSG_NOSIGNAL);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		bytes += count;
		len -= (size_t)count;
	}
	return 0;
}

int lodge_client_send(struct lodge_client *client, const char *line, struct lodge_error *ret_error)
{
	int err = send_all(client->fd, line, strlen(line));

	if (!err)
		err = send_all(client->fd, "\n", 1);
	return err ? gone(client, err, ret_error) : 0;
}

/* More of what the guest's process says: 0, or -errno. */
static int receive_more(struct lodge_client *client)
{
	size_t size = client->in_size ? 2 * client->in_size : LODGE_LINE_MAX;
	ssize_t count;

	if (client->in_len == client->in_size) {
		char *grown = size > 2UL * LODGE_REPLY_MAX ? NULL : realloc(client->in, size);

		if (!grown)
			return -ENOBUFS;
		client->in = grown;
		client->in_size = size;
	}
	count = recv(client->fd, client->in + client->in_len, client->in_size - client->in_len, MSG_DONTWAIT);
	if (count < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	client->in_len += (size_t)count;
	return count ? 0 : -ECONNRESET;
}

int lodge_client_receive(
	struct lodge_client *client, int timeout_ms, const char **ret_line, struct lodge_error *ret_error)
{
	uint64_t deadline = clock_ns() + (uint64_t)timeout_ms * 1000000, now;
	size_t seen = 0;
	int err = 0;

	client->in_len -= client->line;
	if (client->line)
		memmove(client->in, client->in + client->line, client->in_len);
	client->line = 0;
	while (!err) {
		struct pollfd fd = {.fd = client->fd, .events = POLLIN};
		char *newline =
			client->in_len > seen ? memchr(client->in + seen, '\n', client->in_len - seen) : NULL;
		int wait = -1;

		if (newline) {
			*newline = '\0';
			client->line = (size_t)(newline + 1 - client->in);
			*ret_line = client->in;
			return 0;
		}
		seen = client->in_len;
		if (timeout_ms >= 0) {
			now = clock_ns();
			wait = now < deadline ? (int)((deadline - now + 999999) / 1000000) : 0;
		}
		switch (poll(&fd, 1, wait)) {
		case 0:
			err = -ETIMEDOUT;
			break;
		case 1:
			err = receive_more(client);
			break;
		default:
			err = errno == EINTR ? 0 : -errno;
		}
	}
	return gone(client, err, ret_error);
}
