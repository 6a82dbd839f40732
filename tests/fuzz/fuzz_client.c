/*
 * The other end of the control socket: the input is what a guest's process says, in pieces, to a client that makes lines
 * of it, and to `lodge top`, which shows what is in them.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/guest_call.h"
#include "cli/top_table.h"
#include "control/runtime_dir.h"
#include "lodge_control.h"
#include "util/bytes.h"
#include "util/error.h"

/* The client's socket is one of a pair, or none: there is no runtime directory, and nobody listens. */
static int pair[2];
static int refusal; /* errno of what the client meets in its place */

int __wrap_runtime_look(const char *name, struct error *error);
int __wrap_runtime_look(const char *name, struct error *error)
{
	return refusal == ESRCH ? error_set(error, ERROR_USAGE, -ESRCH, "'%s': there is none", name) : 0;
}

int __wrap_runtime_path(const char *name, const char *file, char path[RUNTIME_PATH_MAX], struct error *error);
int __wrap_runtime_path(const char *name, const char *file, char path[RUNTIME_PATH_MAX], struct error *error)
{
	(void)name;
	(void)file;
	(void)path;
	(void)error;
	return 0;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len)
{
	(void)address;
	(void)len;
	if (refusal) {
		errno = refusal;
		return -1;
	}
	FUZZ_CHECK(dup3(pair[1], fd, O_CLOEXEC) == fd);
	return close(pair[1]);
}

/* What `lodge top` makes of a reply: it fits its lines, whatever the numbers are. */
static void show(struct top_guest guests[2], const char *line)
{
	json_t *reply = guest_parse(line);
	char text[TOP_LINE_MAX];
	unsigned width;

	if (!reply)
		return;
	top_guest_update(&guests[0], json_object_get(reply, "result"));
	FUZZ_CHECK(memchr(guests[0].state, '\0', sizeof(guests[0].state)));
	top_sort(guests, 2, TOP_BY_CPU);
	top_sort(guests, 2, TOP_BY_MEMORY);
	top_sort(guests, 2, TOP_BY_DISK);
	width = top_name_width(guests, 2, 80);
	top_print_heads(width, text);
	FUZZ_CHECK(memchr(text, '\0', sizeof(text)));
	top_print_sum(guests, 2, text);
	FUZZ_CHECK(memchr(text, '\0', sizeof(text)));
	top_print_guest(&guests[0], width, text);
	FUZZ_CHECK(memchr(text, '\0', sizeof(text)) && !strpbrk(text, "\033\r\n"));
	json_decref(reply);
}

/* Takes the lines that are there; they are the text's, in order. */
static const char *take_lines(struct lodge_client *client, const char *text, struct top_guest *guests)
{
	struct lodge_error error;
	const char *line;
	int err;

	while (!(err = lodge_client_receive(client, 0, &line, &error))) {
		const char *end = (const char *)memchr(text, '\n', LODGE_LINE_MAX);
		size_t len = strnlen(text, (size_t)(end - text));

		FUZZ_CHECK(strlen(line) == len && !memcmp(line, text, len));
		show(guests, line);
		text = end + 1;
	}
	FUZZ_CHECK(err == -ETIMEDOUT || err == -ECONNRESET);
	FUZZ_CHECK(*error.text && error.status);
	return text;
}

/* Nobody is there whom one could ask, for one reason or another; or there is no memory for it. */
static void meet_nobody(uint8_t why)
{
	static const int reasons[] = {ESRCH, ENOENT, ECONNREFUSED, EAGAIN, EACCES, 0};
	struct lodge_client *client;
	struct lodge_error error = {0};
	int fd;

	refusal = reasons[why % ARRAY_SIZE(reasons)];
	if (!refusal)
		fuzz_refuse(0);
	FUZZ_CHECK(lodge_client_new("fuzz", &client, &error) < 0);
	FUZZ_CHECK(*error.text && error.status);
	FUZZ_CHECK(fuzz_refused() == !refusal);
	if (refusal)
		FUZZ_CHECK(lodge_guest_console("fuzz", &fd, &error) < 0 && *error.text && error.status);
}

/* A line without an end: the client takes so much of it, and no more. */
static void flood(struct lodge_client *client)
{
	static const char text[KIB(16)] = {'x'};
	struct lodge_error error = {0};
	const char *line;
	int err = -ETIMEDOUT;

	for (unsigned i = 0; i <= 2 * LODGE_REPLY_MAX / sizeof(text) && err == -ETIMEDOUT; i++) {
		FUZZ_CHECK(send(pair[0], text, sizeof(text), MSG_NOSIGNAL) == (ssize_t)sizeof(text));
		while ((err = lodge_client_receive(client, 0, &line, &error)) == 0)
			;
	}
	FUZZ_CHECK(err == -ENOBUFS && *error.text && error.status);
}

static void talk(struct lodge_client *client, unsigned piece, struct fuzz_input *input)
{
	struct top_guest guests[2] = {{.name = "fuzz"}, {.name = "other"}};
	const char *text = (const char *)input->at;
	struct lodge_error error = {0};

	while (input->left) {
		size_t len = MIN(piece, input->left);

		FUZZ_CHECK(send(pair[0], input->at, len, MSG_NOSIGNAL) == (ssize_t)len);
		input->at += len;
		input->left -= len;
		text = take_lines(client, text, guests);
	}
	top_guest_set_state(&guests[0], "silent");
	close(pair[0]);
	take_lines(client, text, guests);
	FUZZ_CHECK(lodge_client_send(client, "too late", &error) == -ECONNRESET && *error.text);
}

/* The first byte says how long the pieces are, and two of them something else. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {.at = data, .left = size};
	uint8_t kind = fuzz_byte(&input);
	struct lodge_client *client;

	/* The socket must hold it all, for nobody reads meanwhile. */
	if (size > KIB(16) || !input.left)
		return 0;
	if (kind == 0xfe) {
		while (input.left)
			meet_nobody(fuzz_byte(&input));
		return 0;
	}
	json_object_seed(1);
	refusal = 0;
	FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	FUZZ_CHECK(!lodge_client_new("fuzz", &client, NULL));
	FUZZ_CHECK(lodge_client_fd(client) >= 0 && lodge_client_pid(client) == getpid());
	FUZZ_CHECK(!lodge_client_send(client, "{\"command\": \"stats\"}", NULL));
	if (kind == 0xff && size == 2) {
		flood(client);
		close(pair[0]);
	} else {
		talk(client, kind * 16u + 1, &input);
	}
	lodge_client_free(client);
	return 0;
}
