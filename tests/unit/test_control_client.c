/* The client of the control socket, before a process that says what the test wants, or nothing. */
#include "suites.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/guest_call.h"
#include "control/runtime_dir.h"
#include "lib/files.h"
#include "lodge_control.h"

static struct runtime_entry entry;
static struct lodge_client *client;
static struct lodge_error error;
static int listen_fd, fd;

static void setup(void)
{
	files_setup();
	ck_assert_int_eq(runtime_claim("guest", &entry, NULL), 0);
	listen_fd = fd = -1;
	client = NULL;
}

static void teardown(void)
{
	lodge_client_free(client);
	close(listen_fd);
	close(fd);
	runtime_release(&entry);
	files_teardown();
}

static void make_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	ck_assert_int_eq(runtime_path("guest", CONTROL_SOCKET, address.sun_path, NULL), 0);
	listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void connect_client(void)
{
	make_socket();
	ck_assert_int_eq(listen(listen_fd, 1), 0);
	ck_assert_msg(!lodge_client_new("guest", &client, &error), "%s", error.text);
	fd = accept(listen_fd, NULL, NULL);
	ck_assert_int_ge(fd, 0);
}

START_TEST(a_guest_that_does_not_listen_yet_is_no_guest)
{
	if (_i)
		make_socket();
	ck_assert_int_eq(lodge_client_new("guest", &client, &error), -ESRCH);
	ck_assert_int_eq(error.status, LODGE_STATUS_USAGE);
	ck_assert_ptr_nonnull(strstr(error.text, "just starting"));
}
END_TEST

/* Its backlog is full, and stays so. */
START_TEST(a_process_that_takes_nobody_is_not_waited_for_for_ever)
{
	struct lodge_client *others[2];

	make_socket();
	ck_assert_int_eq(listen(listen_fd, 1), 0);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(lodge_client_new("guest", &others[i], &error), 0);
	ck_assert_int_eq(lodge_client_new("guest", &client, &error), -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(error.text, "does not answer"));
	for (unsigned i = 0; i < 2; i++)
		lodge_client_free(others[i]);
}
END_TEST

/* The patience of connect() is not that of send(). */
START_TEST(a_request_waits_for_room_as_long_as_it_takes)
{
	struct timeval patience = {.tv_sec = 1};
	socklen_t len = sizeof(patience);

	connect_client();
	ck_assert_int_eq(getsockopt(lodge_client_fd(client), SOL_SOCKET, SO_SNDTIMEO, &patience, &len), 0);
	ck_assert_int_eq(patience.tv_sec, 0);
	ck_assert_int_eq(patience.tv_usec, 0);
}
END_TEST

START_TEST(a_reply_may_come_a_byte_at_a_time)
{
	static const char lines[] = "one\ntwo\n";
	const char *line;

	connect_client();
	for (unsigned i = 0; i < sizeof(lines) - 1; i++) {
		int err;

		ck_assert_int_eq(send(fd, &lines[i], 1, 0), 1);
		err = lodge_client_receive(client, 0, &line, &error);
		ck_assert_int_eq(err, lines[i] == '\n' ? 0 : -ETIMEDOUT);
		if (!err)
			ck_assert_str_eq(line, i < 4 ? "one" : "two");
	}
}
END_TEST

static void *send_longest(void *ctx)
{
	size_t sent, len = LODGE_REPLY_MAX + 1;
	char *line = malloc(len);

	(void)ctx;
	memset(line, 'x', len);
	line[len - 1] = '\n';
	for (sent = 0; sent < len;)
		sent += (size_t)send(fd, line + sent, len - sent, MSG_NOSIGNAL);
	free(line);
	return NULL;
}

START_TEST(the_longest_reply_is_taken)
{
	pthread_t thread;
	const char *line;

	connect_client();
	ck_assert_int_eq(pthread_create(&thread, NULL, send_longest, NULL), 0);
	ck_assert_msg(!lodge_client_receive(client, 20000, &line, &error), "%s", error.text);
	ck_assert_uint_eq(strlen(line), LODGE_REPLY_MAX);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

START_TEST(what_a_guest_says_cannot_steer_the_terminal)
{
	json_t *said = guest_parse(
		"{\"state\": \"a\\u001b[2Jb\\u009b1m\\u007f\\n\\u00e4\", \"in\": [{\"error\": \"\\r\"}],"
		" \"\\u001b]0;\": 1, \"text\": \"\\u001b[1m\"}");
	const json_t *in = json_array_get(json_object_get(said, "in"), 0);

	ck_assert_str_eq(guest_string(said, "state"), "a?[2Jb??1m??\u00e4");
	ck_assert_str_eq(guest_string(in, "error"), "?");
	ck_assert_uint_eq(json_object_size(said), 3);
	/* The console's own bytes are for who asks for them. */
	ck_assert_str_eq(guest_string(said, "text"), "\033[1m");
	json_decref(said);
	ck_assert_ptr_null(guest_parse("\033[2J"));
}
END_TEST

Suite *control_client_suite(void)
{
	Suite *suite = suite_create("control_client");
	TCase *tcase = tcase_create("control_client");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, a_guest_that_does_not_listen_yet_is_no_guest, 0, 2);
	tcase_add_test(tcase, a_process_that_takes_nobody_is_not_waited_for_for_ever);
	tcase_add_test(tcase, a_request_waits_for_room_as_long_as_it_takes);
	tcase_add_test(tcase, a_reply_may_come_a_byte_at_a_time);
	tcase_add_test(tcase, the_longest_reply_is_taken);
	tcase_add_test(tcase, what_a_guest_says_cannot_steer_the_terminal);
	suite_add_tcase(suite, tcase);
	return suite;
}
