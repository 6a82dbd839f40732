/* The debugger's socket, and the thread that serves it: one client at a time. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "event/loop.h"
#include "gdb/session.h"
#include "machine/lodge_error.h"
#include "util/bytes.h"
#include "util/error.h"
#include "util/peer.h"
#include "util/thread.h"

#define RETRY_ACCEPT_US 100000

struct lodge_gdb {
	struct lodge_vm *vm;
	struct event_loop loop;
	struct event_source listener, stopped, ended; /* the second one's descriptor is the VM's */
	struct event_source client;                   /* fd -1: there is none */
	const struct lodge_result
		*_Atomic result; /* the run has ended like this; NULL: it has not been run */
	bool waits;              /* for a debugger to send the guest on for the first time */
	struct packet_in in;
	struct session session;
	pthread_t thread;
	bool started;
};

static void close_client(struct lodge_gdb *gdb)
{
	event_loop_remove(&gdb->loop, &gdb->client);
	if (gdb->client.fd >= 0)
		close(gdb->client.fd);
	gdb->client.fd = -1;
	gdb->in = (struct packet_in){0};
}

/* Without its debugger the guest goes on, unless it has not begun and is to wait for one. */
static void hang_up(struct lodge_gdb *gdb)
{
	close_client(gdb);
	if (!gdb->waits)
		target_release(gdb->vm);
}

/* A debugger reads a reply before it asks for the next: who has a buffer full of them is hung up on. */
static void transmit(struct lodge_gdb *gdb, const char *bytes, size_t len)
{
	if (gdb->client.fd >= 0 &&
		send(gdb->client.fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)len)
		hang_up(gdb);
}

static void reply(struct lodge_gdb *gdb)
{
	transmit(gdb, gdb->session.reply.data, gdb->session.reply.len);
}

static void answer(struct lodge_gdb *gdb)
{
	/* It has asked for the guest to go on, and waits for it to stop: there is nothing to say before that. */
	if (gdb->session.running)
		return;
	switch (session_answer(&gdb->session, gdb->in.data)) {
	case SESSION_REPLY:
		reply(gdb);
		break;
	case SESSION_WAIT:
		gdb->waits = false;
		break;
	case SESSION_DETACH:
		gdb->waits = false;
		reply(gdb);
		if (gdb->client.fd >= 0)
			hang_up(gdb);
		break;
	case SESSION_KILL:
		lodge_vm_stop(gdb->vm);
		reply(gdb);
		/* The guest takes no further step. */
		close_client(gdb);
		break;
	}
}

static void report_stop(struct lodge_gdb *gdb, const struct debug_stop *stop)
{
	session_stopped(&gdb->session, stop);
	reply(gdb);
}

static void take_byte(struct lodge_gdb *gdb, char byte)
{
	bool acks = !gdb->session.no_ack;
	struct debug_stop stop;

	switch (packet_take(&gdb->in, byte)) {
	case PACKET_NONE:
		break;
	case PACKET_WHOLE:
		if (acks)
			transmit(gdb, "+", 1);
		if (gdb->client.fd >= 0)
			answer(gdb);
		break;
	case PACKET_BROKEN:
		if (acks)
			transmit(gdb, "-", 1);
		break;
	case PACKET_REFUSED:
		if (acks)
			reply(gdb);
		break;
	case PACKET_BREAK:
		if (!gdb->session.running)
			break;
		target_halt(gdb->vm, &stop);
		report_stop(gdb, &stop);
		break;
	case PACKET_GARBAGE:
		/* A browser, for instance, that a web page has sent to a port of this machine. */
		hang_up(gdb);
		break;
	}
}

static void client_ready(void *ctx, uint32_t events)
{
	struct lodge_gdb *gdb = ctx;
	char bytes[PACKET_MAX];
	ssize_t count = recv(gdb->client.fd, bytes, sizeof(bytes), MSG_DONTWAIT), i;

	(void)events;
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count <= 0)
		hang_up(gdb);
	for (i = 0; i < count && gdb->client.fd >= 0; i++)
		take_byte(gdb, bytes[i]);
}

static bool is_welcome(const struct lodge_gdb *gdb, int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);

	if (gdb->client.fd >= 0 || getsockname(fd, (struct sockaddr *)&address, &len))
		return false;
	return address.ss_family != AF_UNIX || peer_is_ours(fd);
}

static void listener_ready(void *ctx, uint32_t events)
{
	struct lodge_gdb *gdb = ctx;
	int fd = accept4(gdb->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct debug_stop ignored;
	const int on = 1;

	(void)events;
	if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		usleep(RETRY_ACCEPT_US); /* no descriptor is left: the client waits, and we do not spin */
	if (fd < 0)
		return;
	if (!is_welcome(gdb, fd)) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* a unix socket has no use for it */
	gdb->client.fd = fd;
	if (event_loop_set(&gdb->loop, &gdb->client, EPOLLIN)) {
		close_client(gdb);
		return;
	}
	session_init(&gdb->session, &target_ops, gdb->vm, target_cpus(gdb->vm));
	target_halt(gdb->vm, &ignored);
}

static void guest_stopped(void *ctx, uint32_t events)
{
	struct lodge_gdb *gdb = ctx;
	struct debug_stop stop;
	eventfd_t ignored;

	(void)events;
	eventfd_read(gdb->stopped.fd, &ignored);
	if (gdb->client.fd >= 0 && gdb->session.running && target_take_stop(gdb->vm, &stop))
		report_stop(gdb, &stop);
}

static void run_ended(void *ctx, uint32_t events)
{
	struct lodge_gdb *gdb = ctx;
	const struct lodge_result *result = atomic_load(&gdb->result);

	(void)events;
	if (result && gdb->client.fd >= 0 && gdb->session.running) {
		session_ended(&gdb->session, result);
		reply(gdb);
	}
	event_loop_stop(&gdb->loop);
}

static void *gdb_main(void *ctx)
{
	struct lodge_gdb *gdb = ctx;

	target_thread_started(gdb->vm);
	/* It fails only for want of kernel memory; the guest goes on without its debugger then. */
	event_loop_run(&gdb->loop);
	return NULL;
}

static int init(struct lodge_gdb *gdb, int fd)
{
	struct event_source *const sources[] = {&gdb->listener, &gdb->stopped, &gdb->ended};
	struct debug_stop ignored;
	unsigned i;
	int err = event_loop_init(&gdb->loop);

	gdb->client = (struct event_source){.fd = -1, .ready = client_ready, .ctx = gdb};
	gdb->listener = (struct event_source){.fd = fd, .ready = listener_ready, .ctx = gdb};
	gdb->stopped =
		(struct event_source){.fd = target_event_fd(gdb->vm), .ready = guest_stopped, .ctx = gdb};
	gdb->ended = (struct event_source){
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = run_ended, .ctx = gdb};
	if (!err && gdb->ended.fd < 0)
		err = -errno;
	if (!err && gdb->stopped.fd < 0)
		err = gdb->stopped.fd;
	for (i = 0; !err && i < ARRAY_SIZE(sources); i++)
		err = event_loop_set(&gdb->loop, sources[i], EPOLLIN);
	if (!err && gdb->waits)
		target_halt(gdb->vm, &ignored);
	if (!err)
		err = thread_start(&gdb->thread, gdb_main, gdb);
	gdb->started = !err;
	return err;
}

int lodge_gdb_start(
	struct lodge_vm *vm, int fd, bool wait, struct lodge_gdb **ret_gdb, struct lodge_error *ret_error)
{
	struct lodge_gdb *gdb = calloc(1, sizeof(*gdb));
	struct error error;
	int err = -ENOMEM;

	if (gdb) {
		gdb->vm = vm;
		gdb->waits = wait;
		err = init(gdb, fd);
	}
	if (!err) {
		*ret_gdb = gdb;
		return 0;
	}
	lodge_gdb_finish(gdb, NULL);
	error_set(&error, ERROR_VMM, err, "the debugger's socket: %s", strerror(-err));
	return lodge_error_from(&error, err, ret_error);
}

void lodge_gdb_finish(struct lodge_gdb *gdb, const struct lodge_result *result)
{
	if (!gdb)
		return;
	if (gdb->started) {
		atomic_store(&gdb->result, result);
		eventfd_write(gdb->ended.fd, 1);
		pthread_join(gdb->thread, NULL);
	}
	close_client(gdb);
	event_loop_fini(&gdb->loop);
	if (gdb->ended.fd >= 0)
		close(gdb->ended.fd);
	free(gdb);
}
