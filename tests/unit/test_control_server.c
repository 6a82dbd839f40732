/*
 * The control socket's server and its client, without a guest: what goes wrong between the two. What the commands do
 * to a guest is tested in tests/vm.
 */
#include "suites.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/cgroup.h"
#include "control/runtime_dir.h"
#include "control/server.h"
#include "lib/files.h"
#include "lodge_control.h"

static struct runtime_entry entry;
static struct server *server;
static struct lodge_client *client;
static struct lodge_config config;
static struct cgroup cgroup;
static struct lodge_error error;
static int listen_fd;

/* No VM: nothing that is asked here gets that far. */
static void setup(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	files_setup();
	ck_assert_int_eq(runtime_claim("guest", &entry, NULL), 0);
	ck_assert_int_eq(runtime_path("guest", CONTROL_SOCKET, address.sun_path, NULL), 0);
	listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(listen_fd, 16), 0);
	lodge_config_init(&config);
	cgroup_init(&cgroup, "guest", entry.dir_fd);
	cgroup.mountinfo = "there is none";
	ck_assert_int_eq(server_start(&server, listen_fd, "guest", NULL, &config, &cgroup), 0);
	ck_assert_int_eq(lodge_client_new("guest", &client, &error), 0);
}

static void teardown(void)
{
	const struct lodge_result result = {.outcome = LODGE_POWEROFF};

	lodge_client_free(client);
	if (server)
		server_finish(server, &result);
	server_free(server);
	close(listen_fd);
	runtime_release(&entry);
	files_teardown();
}

static const char *receive(struct lodge_client *from)
{
	const char *line;

	ck_assert_msg(!lodge_client_receive(from, 20000, &line, &error), "%s", error.text);
	return line;
}

static const char *ask(const char *line)
{
	ck_assert_int_eq(lodge_client_send(client, line, &error), 0);
	return receive(client);
}

static void send_raw(const char *bytes, size_t len)
{
	while (len) {
		ssize_t count = send(lodge_client_fd(client), bytes, len, MSG_NOSIGNAL);

		ck_assert_int_gt(count, 0);
		bytes += count;
		len -= (size_t)count;
	}
}

static void expect_hang_up(void)
{
	const char *line;

	ck_assert_int_eq(lodge_client_receive(client, 20000, &line, &error), -ECONNRESET);
}

START_TEST(a_request_gets_its_reply_and_its_id_back)
{
	ck_assert_str_eq(ask("{\"command\": \"events\", \"id\": {\"a\": [1, null]}}"),
		"{\"id\":{\"a\":[1,null]},\"ok\":true,\"result\":{}}");
	ck_assert_int_eq(lodge_client_pid(client), getpid());
}
END_TEST

static const struct {
	const char *line, *wanted;
} bad_requests[] = {
	{"{", "not JSON"},
	{"hello", "not JSON"},
	{"{} {}", "not JSON"},
	{"\xff\xfe", "not JSON"},
	{"{\"command\": \"\\ud800\"}", "not JSON"},
	{"{\"command\": \"events\", \"command\": \"nmi\"}", "not JSON"},
	{"[]", "one JSON object"},
	{"{}", "has a \\\"command\\\""},
	{"{\"command\": 5}", "has a \\\"command\\\""},
	{"{\"command\": \"fly\"}", "no such command"},
	{"{\"command\": \"\"}", "no such command"},
	{"{\"command\": \"events\", \"protocol\": 2}", "protocol 2"},
	{"{\"command\": \"events\", \"protocol\": \"1\"}", "'protocol'"},
	{"{\"command\": \"events\", \"protocol\": 1.0}", "'protocol'"},
	{"{\"command\": \"stop\", \"grace_ms\": -1}", "'grace_ms'"},
	{"{\"command\": \"stop\", \"grace_ms\": 1e3}", "'grace_ms'"},
	{"{\"command\": \"stop\", \"grace_ms\": 99999999999}", "'grace_ms'"},
	{"{\"command\": \"stop\", \"grace_ms\": 99999999999999999999999}", "not JSON"},
	{"{\"command\": \"console-size\", \"columns\": 80}", "'rows'"},
	{"{\"command\": \"console-size\", \"columns\": 0, \"rows\": 4}", "'columns'"},
	{"{\"command\": \"console-size\", \"columns\": 10000, \"rows\": 4}", "'columns'"},
	{"{\"command\": \"logs\", \"bytes\": true}", "'bytes'"},
	{"{\"command\": \"set-disk-rate\", \"disk\": []}", "'disk'"},
	{"{\"command\": \"set\", \"cpu_max\": 6401}", "'cpu_max'"},
	{"{\"command\": \"set\", \"cpu_max\": \"50%\"}", "'cpu_max'"},
	{"{\"command\": \"set\", \"cpu_share\": 10001}", "'cpu_share'"},
	{"{\"command\": \"set\", \"memory_max\": -1}", "'memory_max'"},
	{"{\"command\": \"set\", \"memory_max\": 1000000}", "memory-max of 976.6 KiB: "},
};

START_TEST(a_bad_request_gets_an_error_and_the_next_one_its_reply)
{
	const char *reply = ask(bad_requests[_i].line);

	ck_assert_msg(strstr(reply, "\"ok\":false") && strstr(reply, "\"status\":100") &&
			      strstr(reply, bad_requests[_i].wanted),
		"%s: %s", bad_requests[_i].line, reply);
	ck_assert_ptr_nonnull(strstr(ask("{\"command\": \"events\"}"), "\"ok\":true"));
}
END_TEST

START_TEST(a_limit_that_the_host_does_not_have_is_told_with_its_status)
{
	const char *reply = ask("{\"command\": \"set\", \"cpu_max\": 50, \"cpu_share\": 0}");

	ck_assert_msg(strstr(reply, "\"status\":101") && strstr(reply, "limits: "), "%s", reply);
	ck_assert_str_eq(ask("{\"command\": \"set\", \"cpu_max\": 0}"), "{\"ok\":true,\"result\":{}}");
}
END_TEST

START_TEST(blank_lines_are_passed_over)
{
	ck_assert_ptr_nonnull(strstr(ask("\n\r\n  \n{\"command\": \"events\"}\r"), "\"ok\":true"));
}
END_TEST

START_TEST(a_request_may_come_a_byte_at_a_time)
{
	static const char line[] = "{\"command\": \"events\", \"id\": 7}\n";

	for (size_t i = 0; i < sizeof(line) - 1; i++)
		send_raw(&line[i], 1);
	ck_assert_ptr_nonnull(strstr(receive(client), "\"id\":7"));
}
END_TEST

START_TEST(many_requests_at_once_are_answered_in_order)
{
	char line[64];

	for (unsigned i = 0; i < 100; i++) {
		snprintf(line, sizeof(line), "{\"command\": \"events\", \"id\": %u}", i);
		ck_assert_int_eq(lodge_client_send(client, line, &error), 0);
	}
	for (unsigned i = 0; i < 100; i++) {
		snprintf(line, sizeof(line), "{\"id\":%u,", i);
		ck_assert_ptr_nonnull(strstr(receive(client), line));
	}
}
END_TEST

/* In one piece: a server that stopped to listen for want of a reader is woken by nothing else than that one. */
static void send_2000_requests(void)
{
	char *lines = malloc(LODGE_LINE_MAX);
	size_t len = 0;

	for (unsigned i = 0; i < 2000; i++)
		len += (size_t)sprintf(lines + len, "{\"command\":\"events\",\"id\":%u}\n", i);
	send_raw(lines, len);
	free(lines);
}

START_TEST(who_reads_late_gets_all_replies)
{
	char wanted[32];

	send_2000_requests();
	usleep(100000);
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(wanted, sizeof(wanted), "{\"id\":%u,", i);
		ck_assert_ptr_nonnull(strstr(receive(client), wanted));
	}
}
END_TEST

/* It has a second for that. */
static void *read_till_exit(void *ctx)
{
	(void)ctx;
	usleep(100000);
	while (!strstr(receive(client), "\"event\":\"exit\""))
		;
	return NULL;
}

START_TEST(who_reads_late_hears_of_the_end)
{
	const struct lodge_result result = {.outcome = LODGE_POWEROFF};
	pthread_t thread;

	ask("{\"command\": \"events\"}");
	send_2000_requests();
	ck_assert_int_eq(pthread_create(&thread, NULL, read_till_exit, NULL), 0);
	server_finish(server, &result);
	server_free(server);
	server = NULL;
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

START_TEST(who_comes_when_no_descriptor_is_left_is_served_later)
{
	struct rlimit before, low;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pollfd answered = {.fd = fd, .events = POLLIN};

	ask("{\"command\": \"events\"}");
	ck_assert_int_eq(runtime_path("guest", CONTROL_SOCKET, address.sun_path, NULL), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = (struct rlimit){.rlim_cur = 64, .rlim_max = before.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	while (dup(fd) >= 0) /* gone with this test's process */
		;
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(send(fd, "{}\n", 3, 0), 3);
	ck_assert_int_eq(poll(&answered, 1, 300), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_int_eq(poll(&answered, 1, 20000), 1);
	ck_assert_int_eq(answered.revents, POLLIN);
}
END_TEST

/* Files such as a cgroup has. */
START_TEST(what_set_does_not_name_stays_as_it_is)
{
	files_make("cpu.weight", 0);
	files_make("cpu.max", 0);
	files_make("memory.max", 0);
	strcpy(cgroup.path, ".");
	cgroup.controllers = CGROUP_CPU | CGROUP_MEMORY;
	cgroup.limits =
		(struct lodge_limits){.cpu_share = 300, .cpu_max_percent = 50, .memory_max = 1ull << 32};
	ask("{\"command\": \"set\", \"cpu_max\": 70}");
	ck_assert_uint_eq(cgroup.limits.cpu_share, 300);
	ck_assert_uint_eq(cgroup.limits.cpu_max_percent, 70);
	ck_assert_uint_eq(cgroup.limits.memory_max, 1ull << 32);
	ask("{\"command\": \"set\", \"cpu_share\": 0}");
	ck_assert_uint_eq(cgroup.limits.cpu_share, 0);
	ck_assert_uint_eq(cgroup.limits.cpu_max_percent, 70);
}
END_TEST

START_TEST(the_longest_line_is_taken_and_a_longer_one_ends_the_connection)
{
	char *line = malloc(LODGE_LINE_MAX + 1);

	memset(line, ' ', LODGE_LINE_MAX);
	memcpy(line, "{\"command\": \"events\"", 20);
	line[LODGE_LINE_MAX - 2] = '}';
	line[LODGE_LINE_MAX - 1] = '\n';
	send_raw(line, LODGE_LINE_MAX);
	ck_assert_ptr_nonnull(strstr(receive(client), "\"ok\":true"));
	memset(line, 'x', LODGE_LINE_MAX);
	send_raw(line, LODGE_LINE_MAX);
	ck_assert_ptr_nonnull(strstr(receive(client), "65536 bytes at most"));
	expect_hang_up();
	free(line);
}
END_TEST

START_TEST(deep_nesting_is_an_error)
{
	char *line = malloc(60001);

	memset(line, '[', 60000);
	line[60000] = '\0';
	ck_assert_ptr_nonnull(strstr(ask(line), "not JSON"));
	free(line);
}
END_TEST

START_TEST(a_client_that_leaves_in_the_middle_of_a_line_disturbs_nobody)
{
	struct lodge_client *other;

	ck_assert_int_eq(lodge_client_new("guest", &other, &error), 0);
	ck_assert_int_eq(send(lodge_client_fd(other), "{\"comm", 7, 0), 7);
	lodge_client_free(other);
	ck_assert_ptr_nonnull(strstr(ask("{\"command\": \"events\"}"), "\"ok\":true"));
}
END_TEST

/* It asks and asks, and never reads: it is not listened to any more, and everybody else is. */
START_TEST(a_client_that_never_reads_holds_up_no_other)
{
	static const char line[] = "{\"command\": \"events\"}\n";
	struct lodge_client *mute;
	struct pollfd fd;

	ck_assert_int_eq(lodge_client_new("guest", &mute, &error), 0);
	fd = (struct pollfd){.fd = lodge_client_fd(mute), .events = POLLOUT};
	while (poll(&fd, 1, 300) == 1)
		ck_assert_int_gt(send(fd.fd, line, sizeof(line) - 1, MSG_DONTWAIT | MSG_NOSIGNAL), 0);
	ck_assert_ptr_nonnull(strstr(ask("{\"command\": \"events\"}"), "\"ok\":true"));
	lodge_client_free(mute);
}
END_TEST

START_TEST(one_client_more_than_there_is_room_for_is_told_so_and_sent_away)
{
	struct lodge_client *others[31], *one_more;
	const char *line;

	for (unsigned i = 0; i < 31; i++) {
		ck_assert_int_eq(lodge_client_new("guest", &others[i], &error), 0);
		ck_assert_int_eq(lodge_client_send(others[i], "{\"command\": \"events\"}", &error), 0);
		receive(others[i]);
	}
	ck_assert_int_eq(lodge_client_new("guest", &one_more, &error), 0);
	ck_assert_str_eq(receive(one_more),
		"{\"ok\":false,\"status\":103,\"error\":\"32 clients are connected already\"}");
	ck_assert_int_eq(lodge_client_receive(one_more, 20000, &line, &error), -ECONNRESET);
	lodge_client_free(one_more);
	lodge_client_free(others[0]);
	/* The server sees the end of that one some time soon. */
	for (unsigned tries = 0; tries < 100; tries++) {
		ck_assert_int_eq(lodge_client_new("guest", &others[0], &error), 0);
		if (!lodge_client_send(others[0], "{\"command\": \"events\"}", &error) &&
			!lodge_client_receive(others[0], 20000, &line, &error) && strstr(line, "\"ok\":true"))
			break;
		lodge_client_free(others[0]);
		others[0] = NULL;
		usleep(10000);
	}
	ck_assert_ptr_nonnull(others[0]);
	for (unsigned i = 0; i < 31; i++)
		lodge_client_free(others[i]);
}
END_TEST

START_TEST(the_end_is_told_to_who_asked_for_events_and_to_nobody_else)
{
	const struct lodge_result result = {.outcome = LODGE_PANIC, .status = 113, .message = "it said \xff"};
	struct lodge_client *deaf;
	const char *line;

	ck_assert_int_eq(lodge_client_new("guest", &deaf, &error), 0);
	ck_assert_int_eq(lodge_client_send(deaf, "{\"command\": \"set\"}", &error), 0);
	ck_assert_ptr_nonnull(strstr(receive(deaf), "\"ok\":true"));
	ask("{\"command\": \"events\"}");
	server_finish(server, &result);
	ck_assert_ptr_nonnull(strstr(receive(client), "{\"event\":\"panic\",\"time\":"));
	line = receive(client);
	ck_assert_ptr_nonnull(strstr(line, "{\"event\":\"exit\",\"time\":"));
	ck_assert_ptr_nonnull(strstr(line, "\"outcome\":\"panic\",\"status\":113,\"message\":\"it said ?\""));
	/* The connections stay until the process, or the server, goes. */
	ck_assert_int_eq(lodge_client_receive(deaf, 100, &line, &error), -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(error.text, "does not answer"));
	server_free(server);
	server = NULL;
	expect_hang_up();
	ck_assert_ptr_nonnull(strstr(error.text, "is gone"));
	ck_assert_int_eq(lodge_client_send(client, "{}", &error), -ECONNRESET);
	lodge_client_free(deaf);
}
END_TEST

/* The server has no way to answer it, and hangs up. */
START_TEST(who_comes_after_a_listener_that_left_gets_no_events)
{
	const struct lodge_result result = {.outcome = LODGE_POWEROFF};
	struct lodge_client *next;
	struct pollfd left;
	const char *line;

	ck_assert_int_eq(lodge_client_new("guest", &next, &error), 0);
	left = (struct pollfd){.fd = lodge_client_fd(next), .events = POLLRDHUP};
	ck_assert_int_eq(lodge_client_send(next, "{}", &error), 0);
	receive(next);
	ck_assert_int_eq(shutdown(left.fd, SHUT_RD), 0);
	ck_assert_int_eq(lodge_client_send(next, "{\"command\": \"events\"}", &error), 0);
	for (unsigned tries = 0; tries < 2000 && !(left.revents & POLLHUP); tries++) {
		usleep(10000);
		poll(&left, 1, 0);
	}
	ck_assert(left.revents & POLLHUP);
	lodge_client_free(next);
	ck_assert_int_eq(lodge_client_new("guest", &next, &error), 0);
	ck_assert_int_eq(lodge_client_send(next, "{}", &error), 0);
	receive(next);
	server_finish(server, &result);
	ck_assert_int_eq(lodge_client_receive(next, 100, &line, &error), -ETIMEDOUT);
	lodge_client_free(next);
}
END_TEST

/* The server is busy with the end when they come: their request waits in the socket. */
START_TEST(the_end_is_told_to_who_asked_in_the_last_moment)
{
	const struct lodge_result result = {.outcome = LODGE_GUEST_EXIT, .status = 7};
	struct lodge_client *late[8];

	for (unsigned i = 0; i < 8; i++) {
		ck_assert_int_eq(lodge_client_new("guest", &late[i], &error), 0);
		ck_assert_int_eq(lodge_client_send(late[i], "{\"command\": \"events\"}", &error), 0);
	}
	server_finish(server, &result);
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_ptr_nonnull(strstr(receive(late[i]), "\"ok\":true"));
		ck_assert_ptr_nonnull(strstr(receive(late[i]), "\"status\":7"));
		lodge_client_free(late[i]);
	}
}
END_TEST

START_TEST(a_server_that_is_freed_before_the_end_hangs_up)
{
	ask("{\"command\": \"events\"}");
	server_free(server);
	server = NULL;
	expect_hang_up();
}
END_TEST

Suite *control_server_suite(void)
{
	Suite *suite = suite_create("control_server");
	TCase *tcase = tcase_create("control_server");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_request_gets_its_reply_and_its_id_back);
	tcase_add_loop_test(tcase, a_bad_request_gets_an_error_and_the_next_one_its_reply, 0,
		sizeof(bad_requests) / sizeof(bad_requests[0]));
	tcase_add_test(tcase, a_limit_that_the_host_does_not_have_is_told_with_its_status);
	tcase_add_test(tcase, blank_lines_are_passed_over);
	tcase_add_test(tcase, a_request_may_come_a_byte_at_a_time);
	tcase_add_test(tcase, many_requests_at_once_are_answered_in_order);
	tcase_add_test(tcase, who_reads_late_gets_all_replies);
	tcase_add_test(tcase, who_reads_late_hears_of_the_end);
	tcase_add_test(tcase, who_comes_when_no_descriptor_is_left_is_served_later);
	tcase_add_test(tcase, what_set_does_not_name_stays_as_it_is);
	tcase_add_test(tcase, the_longest_line_is_taken_and_a_longer_one_ends_the_connection);
	tcase_add_test(tcase, deep_nesting_is_an_error);
	tcase_add_test(tcase, a_client_that_leaves_in_the_middle_of_a_line_disturbs_nobody);
	tcase_add_test(tcase, a_client_that_never_reads_holds_up_no_other);
	tcase_add_test(tcase, one_client_more_than_there_is_room_for_is_told_so_and_sent_away);
	tcase_add_test(tcase, the_end_is_told_to_who_asked_for_events_and_to_nobody_else);
	tcase_add_test(tcase, who_comes_after_a_listener_that_left_gets_no_events);
	tcase_add_test(tcase, the_end_is_told_to_who_asked_in_the_last_moment);
	tcase_add_test(tcase, a_server_that_is_freed_before_the_end_hangs_up);
	suite_add_tcase(suite, tcase);
	return suite;
}
