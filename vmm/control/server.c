#include "control/server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/json.h"
#include "control/protocol.h"
#include "event/loop.h"
#include "lodge_control.h"
#include "util/bytes.h"
#include "util/clock.h"
#include "util/peer.h"
#include "util/thread.h"

#define CLIENTS_MAX     32
#define OUT_MAX         (2UL * LODGE_REPLY_MAX) /* a client with more to read is cut off */
#define FAREWELL_NS     1000000000u             /* how long the last events may take to be read */
#define RETRY_ACCEPT_NS 100000000u              /* after accept() found no descriptor or memory */

struct connection {
	struct server *server;
	struct event_source source; /* fd -1: free */
	char *in;                   /* LODGE_LINE_MAX bytes */
	size_t in_len;
	char *out;
	size_t out_len, out_sent;
	bool subscribed;
	bool last; /* what is in `out` is the last: it hangs up then */
};

struct server {
	struct event_loop loop;
	struct event_source listener;
	struct event_source ended; /* an eventfd: `result` is there */
	struct event_timer grace;  /* of a stop */
	struct event_timer retry;  /* listens again */
	struct protocol protocol;
	const struct lodge_result *_Atomic result; /* the run has ended like this */
	struct connection connections[CLIENTS_MAX];
	pthread_t thread;
	bool started;
};

/* One client */

static void hang_up(struct connection *connection)
{
	event_loop_remove(&connection->server->loop, &connection->source);
	if (connection->source.fd >= 0)
		close(connection->source.fd);
	free(connection->in);
	free(connection->out);
	*connection = (struct connection){.server = connection->server, .source.fd = -1};
}

/* Sends what the client takes; asks the loop for the rest. */
static void flush(struct connection *connection)
{
	while (connection->out_sent < connection->out_len) {
		ssize_t count = send(connection->source.fd, connection->out + connection->out_sent,
			connection->out_len - connection->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0 && errno == EAGAIN)
			break;
		if (count < 0) {
			hang_up(connection);
			return;
		}
		connection->out_sent += (size_t)count;
	}
	if (connection->out_sent < connection->out_len) {
		/* A client that asks faster than it reads is not listened to meanwhile. */
		event_loop_set(&connection->server->loop, &connection->source, EPOLLOUT);
		return;
	}
	connection->out_len = connection->out_sent = 0;
	if (connection->last)
		hang_up(connection);
	else
		event_loop_set(&connection->server->loop, &connection->source, EPOLLIN);
}

/* Queues a line; takes the reference, which may be NULL. */
static void say(struct connection *connection, json_t *message)
{
	char *line = message ? json_dumps(message, JSON_COMPACT) : NULL, *grown = NULL;
	size_t len = line ? strlen(line) : 0;

	json_decref(message);
	if (connection->source.fd < 0)
		goto done;
	if (line && len < OUT_MAX - connection->out_len)
		grown = realloc(connection->out, connection->out_len + len + 1);
	if (!grown) {
		hang_up(connection);
		goto done;
	}
	memcpy(grown + connection->out_len, line, len + 1);
	grown[connection->out_len + len] = '\n';
	connection->out = grown;
	connection->out_len += len + 1;
	flush(connection);
done:
	free(line);
}

static void complain_and_hang_up(struct connection *connection, const char *text)
{
	connection->last = true;
	say(connection, json_pack("{s:b, s:i, s:s}", "ok", 0, "status", LODGE_STATUS_USAGE, "error", text));
}

static void answer(struct connection *connection, const char *line, size_t len)
{
	bool subscribed = false;
	json_t *reply = protocol_answer(&connection->server->protocol, line, len, &subscribed);

	/* Before the reply: who cannot be given it is gone, and leaves nothing to the next one in its place. */
	connection->subscribed |= subscribed;
	say(connection, reply);
}

static bool is_blank(const char *line, size_t len)
{
	while (len && (line[len - 1] == '\r' || line[len - 1] == ' '))
		len--;
	return !len;
}

/* Takes whole lines out of what has arrived, as long as the replies find a reader. */
static void answer_lines(struct connection *connection)
{
	char *newline;

	while (connection->source.fd >= 0 && !connection->out_len &&
		(newline = memchr(connection->in, '\n', connection->in_len))) {
		size_t len = (size_t)(newline - connection->in);

		if (!is_blank(connection->in, len))
			answer(connection, connection->in, len);
		if (connection->source.fd < 0)
			return;
		connection->in_len -= len + 1;
		memmove(connection->in, newline + 1, connection->in_len);
	}
	if (connection->source.fd >= 0 && connection->in_len == LODGE_LINE_MAX && !connection->out_len)
		complain_and_hang_up(connection, "a request has 65536 bytes at most, its newline included");
}

static void connection_ready(void *ctx, uint32_t events)
{
	struct connection *connection = ctx;
	ssize_t count;

	if (connection->out_len) {
		flush(connection);
		if (connection->source.fd >= 0)
			answer_lines(connection);
		return;
	}
	(void)events;
	count = recv(connection->source.fd, connection->in + connection->in_len,
		LODGE_LINE_MAX - connection->in_len, MSG_DONTWAIT);
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count <= 0) {
		hang_up(connection);
		return;
	}
	connection->in_len += (size_t)count;
	answer_lines(connection);
}

/* All of them */

static void announce(void *ctx, json_t *event)
{
	struct server *server = ctx;
	unsigned i;

	for (i = 0; i < CLIENTS_MAX; i++) {
		if (server->connections[i].subscribed)
			say(&server->connections[i], json_incref(event));
	}
	json_decref(event);
}

static struct connection *free_connection(struct server *server)
{
	unsigned i;

	for (i = 0; i < CLIENTS_MAX; i++) {
		if (server->connections[i].source.fd < 0)
			return &server->connections[i];
	}
	return NULL;
}

/* Its requests are not heard; it may take no answer for the end of the guest, which runs on. */
static void turn_away(int fd)
{
	char line[128];
	int len = snprintf(line, sizeof(line),
		"{\"ok\":false,\"status\":%d,\"error\":\"%d clients are connected already\"}\n",
		LODGE_STATUS_VMM_ERROR, CLIENTS_MAX);

	send(fd, line, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Takes one client: true, also when it was sent away; false: there is none. */
static bool accept_client(struct server *server)
{
	struct connection *connection;
	int fd = accept4(server->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
			/* No descriptor is left: the client waits, and we do not spin. */
			event_loop_set(&server->loop, &server->listener, 0);
			event_timer_arm(&server->retry, RETRY_ACCEPT_NS);
		}
		return false;
	}
	/* The directory keeps others out, and this does so if somebody opens it. */
	if (!peer_is_ours(fd)) {
		close(fd);
		return true;
	}
	connection = free_connection(server);
	if (!connection) {
		turn_away(fd);
		close(fd);
		return true;
	}
	connection->source.fd = fd;
	connection->source.ready = connection_ready;
	connection->source.ctx = connection;
	connection->in = malloc(LODGE_LINE_MAX);
	if (!connection->in || event_loop_set(&server->loop, &connection->source, EPOLLIN))
		hang_up(connection);
	return true;
}

static void listener_ready(void *ctx, uint32_t events)
{
	(void)events;
	accept_client(ctx);
}

static void listen_again(void *ctx)
{
	struct server *server = ctx;

	event_loop_set(&server->loop, &server->listener, EPOLLIN);
}

static void grace_over(void *ctx)
{
	struct server *server = ctx;

	lodge_vm_stop(server->protocol.vm);
}

static void stop_in(void *ctx, uint64_t ms)
{
	struct server *server = ctx;

	if (ms)
		event_timer_arm(&server->grace, ms * 1000000);
	else
		grace_over(server);
}

/* Gives the clients a little time to read what they were told last. */
static void say_farewell(struct server *server)
{
	uint64_t deadline = clock_ns() + FAREWELL_NS, now;
	unsigned i;

	for (i = 0; i < CLIENTS_MAX; i++) {
		struct connection *connection = &server->connections[i];

		while (connection->source.fd >= 0 && connection->out_len && (now = clock_ns()) < deadline) {
			struct pollfd fd = {.fd = connection->source.fd, .events = POLLOUT};

			poll(&fd, 1, (int)((deadline - now) / 1000000) + 1);
			flush(connection);
		}
	}
}

/* Who asked for events before the guest ended, and was not heard yet, is told of its end too. */
static void hear_latecomers(struct server *server)
{
	unsigned i;

	for (i = 0; i < CLIENTS_MAX && accept_client(server); i++)
		;
	for (i = 0; i < CLIENTS_MAX; i++) {
		if (server->connections[i].source.fd >= 0)
			connection_ready(&server->connections[i], EPOLLIN);
	}
}

static void run_ended(void *ctx, uint32_t events)
{
	struct server *server = ctx;
	const struct lodge_result *result = atomic_load(&server->result);

	(void)events;
	hear_latecomers(server);
	if (result->outcome == LODGE_PANIC)
		announce(server, protocol_event("panic"));
	announce(server, protocol_exit_event(result));
	say_farewell(server);
	event_loop_stop(&server->loop);
}

static void *server_main(void *ctx)
{
	struct server *server = ctx;
	const struct lodge_config *config = server->protocol.config;

	if (config->thread_started)
		config->thread_started(config->guard_ctx, LODGE_THREAD_CONTROL);
	/* It fails only for want of kernel memory; the guest goes on without its control socket then. */
	event_loop_run(&server->loop);
	return NULL;
}

int server_start(struct server **ret_server, int listen_fd, const char *name, struct lodge_vm *vm,
	const struct lodge_config *config, struct cgroup *cgroup)
{
	struct server *server = calloc(1, sizeof(*server));
	unsigned i;
	int err;

	if (!server)
		return -ENOMEM;
	json_seed();
	for (i = 0; i < CLIENTS_MAX; i++) {
		server->connections[i].server = server;
		server->connections[i].source.fd = -1;
	}
	server->protocol = (struct protocol){.name = name,
		.vm = vm,
		.config = config,
		.cgroup = cgroup,
		.announce = announce,
		.stop_in = stop_in,
		.ctx = server};
	server->listener = (struct event_source){.fd = listen_fd, .ready = listener_ready, .ctx = server};
	server->ended = (struct event_source){
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = run_ended, .ctx = server};
	err = server->ended.fd < 0 ? -errno : event_loop_init(&server->loop);
	if (!err)
		err = event_loop_set(&server->loop, &server->ended, EPOLLIN);
	if (!err)
		err = event_timer_init(&server->grace, &server->loop, grace_over, server);
	if (!err)
		err = event_timer_init(&server->retry, &server->loop, listen_again, server);
	if (!err)
		err = event_loop_set(&server->loop, &server->listener, EPOLLIN);
	if (!err)
		err = thread_start(&server->thread, server_main, server);
	server->started = !err;
	if (err) {
		server_free(server);
		return err;
	}
	*ret_server = server;
	return 0;
}

static void join(struct server *server)
{
	if (server->started)
		pthread_join(server->thread, NULL);
	server->started = false;
}

void server_finish(struct server *server, const struct lodge_result *result)
{
	atomic_store(&server->result, result);
	eventfd_write(server->ended.fd, 1);
	join(server);
}

void server_free(struct server *server)
{
	unsigned i;

	if (!server)
		return;
	if (server->started)
		event_loop_stop(&server->loop);
	join(server);
	for (i = 0; i < CLIENTS_MAX; i++)
		hang_up(&server->connections[i]);
	event_timer_fini(&server->grace);
	event_timer_fini(&server->retry);
	event_loop_fini(&server->loop);
	if (server->ended.fd >= 0)
		close(server->ended.fd);
	free(server);
}
