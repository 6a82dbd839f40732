/* The console's listening sockets: who connects becomes a viewer. */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/console_client.h"
#include "util/bytes.h"
#include "util/peer.h"

/* How long the sockets rest after accept4() has failed, as it does without a free descriptor. */
#define REST_NS 100000000u

/* A place for a connection, if need be that of one which hung up before the chip took what it had typed. */
static struct console_client *find_place(struct console *console)
{
	struct console_client *client, *found = NULL;
	unsigned i;

	for (i = CONSOLE_ENDS_MAX; i < ARRAY_SIZE(console->clients); i++) {
		client = &console->clients[i];
		if (client->out.source.fd >= 0)
			continue;
		found = client;
		if (client->in.source.fd < 0 && !client->in_len)
			break;
	}
	if (found)
		console_fd_close(&found->in, console->config.loop);
	return found;
}

static void wait_for_connections(struct console *console, bool wait)
{
	unsigned i;

	for (i = 0; i < console->config.end_count; i++) {
		if (console->clients[i].kind == CONSOLE_LISTEN)
			event_loop_set(
				console->config.loop, &console->clients[i].in.source, wait ? EPOLLIN : 0);
	}
}

static void rested(void *ctx)
{
	wait_for_connections(ctx, true);
}

int console_listen_init(struct console *console, int fd)
{
	socklen_t len = sizeof(int);
	int listens;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len))
		return -errno;
	if (!listens)
		return -EINVAL;
	if (console->listen_again.loop)
		return 0;
	return event_timer_init(&console->listen_again, console->config.loop, rested, console);
}

void console_listen_ready(void *ctx, uint32_t events)
{
	struct console_client *listener = ctx, *client = NULL;
	int fd = accept4(listener->in.source.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), twin;

	(void)events;
	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
			wait_for_connections(listener->console, false);
			event_timer_arm(&listener->console->listen_again, REST_NS);
		}
		return;
	}
	twin = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (twin >= 0 && peer_is_ours(fd))
		client = find_place(listener->console);
	if (!client) {
		close(fd);
		if (twin >= 0)
			close(twin);
		return;
	}
	console_fd_adopt(&client->in, fd);
	console_fd_adopt(&client->out, twin);
	client->at = 0;
	client->escape = listener->escape;
	client->in_escape = false;
	client->in_len = 0;
	console_client_start(client);
}
