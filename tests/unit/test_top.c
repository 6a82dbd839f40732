/* lodge top without a terminal: the arithmetic, the order, the lines; and its guests, played by this process. */
#include "suites.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/top_guests.h"
#include "cli/top_table.h"
#include "control/runtime_dir.h"
#include "lib/files.h"
#include "util/bytes.h"
#include "util/clock.h"

#define MS 1000000u

static struct top_guest guest;

static void update(const char *text)
{
	json_t *stats = json_loads(text, 0, NULL);

	ck_assert_ptr_nonnull(stats);
	top_guest_update(&guest, stats);
	json_decref(stats);
}

/* Two vCPUs and two disks, whose numbers add up: after 2 s, and after 4 s. */
static const char early[] =
	"{\"state\": \"running\", \"uptime_us\": 2000000, \"memory\": 134217728, \"memory_resident\": 20971520,"
	" \"vcpus\": [{\"guest_us\": 900000, \"exit_us\": 100000, \"exits\": 1000},"
	"             {\"guest_us\": 1000000, \"exit_us\": 0, \"exits\": 3000}],"
	" \"disks\": [{\"reads\": 10, \"writes\": 0, \"bytes_read\": 40960, \"bytes_written\": 0},"
	"             {\"reads\": 0, \"writes\": 30, \"bytes_read\": 0, \"bytes_written\": 20480}]}";
static const char late[] =
	"{\"state\": \"paused\", \"uptime_us\": 4000000, \"memory\": 134217728, \"memory_resident\": 31457280,"
	" \"vcpus\": [{\"guest_us\": 1900000, \"exit_us\": 600000, \"exits\": 1500},"
	"             {\"guest_us\": 1000000, \"exit_us\": 0, \"exits\": 3000}],"
	" \"disks\": [{\"reads\": 10, \"writes\": 2, \"bytes_read\": 40960, \"bytes_written\": 4096},"
	"             {\"reads\": 5, \"writes\": 30, \"bytes_read\": 2097152, \"bytes_written\": 20480}]}";

static void expect_rates(double cpus, double exits, double reads, double writes, double in, double out)
{
	ck_assert_double_eq_tol(guest.rates[TOP_CPU_US], cpus * 1e6, 1);
	ck_assert_double_eq_tol(guest.rates[TOP_EXITS], exits, 1e-6);
	ck_assert_double_eq_tol(guest.rates[TOP_READS], reads, 1e-6);
	ck_assert_double_eq_tol(guest.rates[TOP_WRITES], writes, 1e-6);
	ck_assert_double_eq_tol(guest.rates[TOP_BYTES_READ], in, 1e-6);
	ck_assert_double_eq_tol(guest.rates[TOP_BYTES_WRITTEN], out, 1e-6);
}

static void clear(void)
{
	guest = (struct top_guest){.name = "web"};
}

START_TEST(first_rates_are_those_since_the_guests_start)
{
	update(early);
	expect_rates(1.0, 2000, 5, 15, 20480, 10240);
	ck_assert_uint_eq(guest.cpus, 2);
	ck_assert_uint_eq(guest.memory, MIB(128));
	ck_assert_uint_eq(guest.resident, MIB(20));
	ck_assert_str_eq(guest.state, "running");
}
END_TEST

START_TEST(later_rates_are_those_since_the_last_answer)
{
	update(early);
	update(late);
	expect_rates(0.75, 250, 2.5, 1, 1048576, 2048);
	ck_assert_str_eq(guest.state, "paused");
	ck_assert_uint_eq(guest.resident, MIB(30));
}
END_TEST

START_TEST(guest_that_began_anew_is_measured_anew)
{
	update(late);
	update(early);
	expect_rates(1.0, 2000, 5, 15, 20480, 10240);
}
END_TEST

START_TEST(counter_that_goes_back_is_no_rate)
{
	update(late);
	guest.uptime_us = 3000000;
	guest.totals[TOP_CPU_US] += 2;
	guest.totals[TOP_READS] -= 5;
	update(late);
	expect_rates(0, 0, 5, 0, 0, 0);
}
END_TEST

START_TEST(no_time_between_two_answers_is_no_rate)
{
	update(early);
	update(early);
	expect_rates(0, 0, 0, 0, 0, 0);
	update("{}");
	expect_rates(0, 0, 0, 0, 0, 0);
	ck_assert_str_eq(guest.state, "-");
}
END_TEST

START_TEST(silent_guest_keeps_what_is_known_but_no_rates)
{
	update(early);
	top_guest_set_state(&guest, "silent");
	expect_rates(0, 0, 0, 0, 0, 0);
	ck_assert_uint_eq(guest.resident, MIB(20));
	update(late);
	expect_rates(0.75, 250, 2.5, 1, 1048576, 2048);
}
END_TEST

static const struct {
	enum top_key key;
	const char *order;
} orders[] = {{TOP_BY_CPU, "cbad"}, {TOP_BY_MEMORY, "acbd"}, {TOP_BY_DISK, "dbac"}, {TOP_BY_NAME, "abcd"}};

START_TEST(guests_are_sorted)
{
	struct top_guest guests[] = {
		{.name = "d", .rates = {[TOP_BYTES_READ] = 5, [TOP_BYTES_WRITTEN] = 6}},
		{.name = "b", .rates = {[TOP_CPU_US] = 2, [TOP_BYTES_READ] = 10}, .resident = 1},
		{.name = "c", .rates = {[TOP_CPU_US] = 3}, .resident = 2},
		{.name = "a", .rates = {[TOP_BYTES_WRITTEN] = 9}, .resident = 3},
	};
	unsigned i;

	top_sort(guests, ARRAY_SIZE(guests), orders[_i].key);
	for (i = 0; i < ARRAY_SIZE(guests); i++)
		ck_assert_int_eq(*guests[i].name, orders[_i].order[i]);
	top_sort(NULL, 0, orders[_i].key);
}
END_TEST

START_TEST(lines_are_aligned_and_have_bars)
{
	char line[TOP_LINE_MAX];

	top_print_heads(8, line);
	ck_assert_str_eq(
		line, "NAME     STATE     CPU%              MEM EXIT/s RD-B/s WR-B/s  RD/s  WR/s     UP");
	update(early);
	top_print_guest(&guest, 8, line);
	ck_assert_str_eq(
		line, "web      running    100 [||||    ]   20M   2.0K    20K    10K     5    15  0m02s");
	guest.uptime_us = 7261000000;
	guest.rates[TOP_CPU_US] = 5e6; /* more than it has: clocks differ */
	guest.rates[TOP_BYTES_READ] = 1e18;
	snprintf(guest.name, sizeof(guest.name), "a-name-that-is-long");
	top_print_guest(&guest, 10, line);
	ck_assert_str_eq(
		line, "a-name-tha running    500 [||||||||]   20M   2.0K   888P    10K     5    15  2h01m");
	top_guest_set_state(&guest, "silent");
	top_print_guest(&guest, 10, line);
	ck_assert_str_eq(
		line, "a-name-tha silent       0 [        ]   20M      0      0      0     0     0  2h01m");
}
END_TEST

START_TEST(first_line_has_the_sum)
{
	struct top_guest guests[2];
	char line[TOP_LINE_MAX];

	update(early);
	guests[0] = guest;
	update(late);
	guests[1] = guest;
	top_print_sum(guests, 2, line);
	ck_assert_str_eq(line, "2 guests, 1 running  CPU 175% of 4 CPUs  memory 50M of 256M  "
			       "disks: read 1.0M/s, written 12K/s, 24 requests/s");
}
END_TEST

START_TEST(names_get_what_the_line_has_left)
{
	struct top_guest guests[] = {{.name = "a"}, {.name = "twelve-bytes"}};

	ck_assert_uint_eq(top_name_width(guests, 1, 80), 8);
	ck_assert_uint_eq(top_name_width(guests, 2, 80), 8);
	ck_assert_uint_eq(top_name_width(guests, 2, 82), 10);
	ck_assert_uint_eq(top_name_width(guests, 2, 200), 12);
	ck_assert_uint_eq(top_name_width(guests, 2, UINT32_MAX), 12);
	ck_assert_uint_eq(top_name_width(guests, 2, 1), 8);
	ck_assert_uint_eq(top_name_width(NULL, 0, 80), 8);
}
END_TEST

/* Guests that this process plays */

static struct played {
	struct runtime_entry entry;
	int listen_fd, fd;
} played[2];
static const char *const names[] = {"one", "two"};
static struct top_guests guests;
static struct lodge_error error;

static void play(unsigned which)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct played *p = &played[which];

	ck_assert_int_eq(runtime_claim(names[which], &p->entry, NULL), 0);
	ck_assert_int_eq(runtime_path(names[which], CONTROL_SOCKET, address.sun_path, NULL), 0);
	p->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(p->listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(p->listen_fd, 16), 0);
	p->fd = -1;
}

static void stop_playing(unsigned which)
{
	struct played *p = &played[which];

	if (p->fd >= 0)
		close(p->fd);
	if (p->listen_fd >= 0)
		close(p->listen_fd);
	p->fd = p->listen_fd = -1;
	runtime_release(&p->entry);
}

static void setup(void)
{
	files_setup();
	play(0);
	play(1);
}

static void teardown(void)
{
	top_guests_fini(&guests);
	stop_playing(0);
	stop_playing(1);
	files_teardown();
}

/* Takes one request, which must have `want` in it, and replies. */
static void answer(unsigned which, const char *want, const char *reply)
{
	struct played *p = &played[which];
	char line[512];
	ssize_t len;

	if (p->fd < 0)
		p->fd = accept(p->listen_fd, NULL, NULL);
	len = recv(p->fd, line, sizeof(line) - 1, 0);
	ck_assert_int_gt(len, 0);
	line[len] = '\0';
	ck_assert_msg(strstr(line, want), "%s", line);
	ck_assert_ptr_eq(strchr(line, '\n'), line + len - 1);
	ck_assert_int_eq(send(p->fd, reply, strlen(reply), MSG_NOSIGNAL), (ssize_t)strlen(reply));
}

#define STATS(UPTIME, NS)                                                                                    \
	"{\"ok\": true, \"id\": \"stats\", \"result\": {\"state\": \"running\", \"uptime_us\": " UPTIME ", " \
	"\"vcpus\": [{\"guest_us\": " NS ", \"exit_us\": 0, \"exits\": 0}], \"disks\": []}}\n"

static void settle(void)
{
	while (top_guests_awaited(&guests))
		ck_assert_int_eq(top_guests_wait(&guests, NULL, 0, 100), 0);
	ck_assert_int_eq(top_guests_wait(&guests, NULL, 0, 0), 0);
}

START_TEST(each_guest_is_asked_and_its_answer_taken)
{
	ck_assert_int_eq(top_guests_ask(&guests, &error), 0);
	ck_assert_uint_eq(guests.count, 2);
	ck_assert_str_eq(guests.list[0].state, "starting");
	ck_assert(top_guests_awaited(&guests));
	answer(0, "stats", STATS("1000000", "500000"));
	answer(1, "stats", "{\"ok\": false, \"id\": \"stats\", \"error\": \"not yet\"}\n");
	settle();
	ck_assert_str_eq(guests.list[0].state, "running");
	ck_assert_double_eq_tol(guests.list[0].rates[TOP_CPU_US], 5e5, 1);
	ck_assert_str_eq(guests.list[1].state, "starting");
	ck_assert_int_eq(top_guests_ask(&guests, &error), 0);
	answer(0, "stats", STATS("2000000", "1500000"));
	answer(1, "stats", STATS("1000000", "0"));
	settle();
	ck_assert_double_eq_tol(guests.list[0].rates[TOP_CPU_US], 1e6, 1);
	ck_assert_str_eq(guests.list[1].state, "running");
}
END_TEST

START_TEST(silent_guest_holds_nobody_up)
{
	uint64_t begin = clock_ns();

	ck_assert_int_eq(top_guests_ask(&guests, &error), 0);
	answer(0, "stats", STATS("1000000", "500000"));
	settle();
	ck_assert_uint_ge(clock_ns() - begin, 1000 * MS);
	ck_assert_str_eq(guests.list[0].state, "running");
	ck_assert_str_eq(guests.list[1].state, "silent");
	/* It is not asked again while it owes an answer, and what it says at last counts. */
	ck_assert_int_eq(top_guests_ask(&guests, &error), 0);
	answer(0, "stats", STATS("2000000", "500000"));
	answer(1, "stats", STATS("1000000", "500000"));
	settle();
	ck_assert_str_eq(guests.list[1].state, "running");
	ck_assert_int_eq(recv(played[1].fd, &begin, 1, MSG_DONTWAIT), -1);
}
END_TEST

START_TEST(guests_come_and_go)
{
	stop_playing(1);
	ck_assert_int_eq(top_guests_ask(&guests, &error), 0);
	ck_assert_uint_eq(guests.count, 1);
	play(1);
	answer(0, "stats", STATS("1000000", "500000"));
	settle();
	ck_assert_int_eq(top_guests_ask(&guests, &error), 0);
	ck_assert_uint_eq(guests.count, 2);
	stop_playing(0);
	ck_assert_int_eq(top_guests_ask(&guests, &error), 0);
	ck_assert_uint_eq(guests.count, 1);
	ck_assert_str_eq(guests.list[0].name, "two");
	/* Another one of that name is another guest. */
	answer(1, "stats", STATS("9000000", "9000000"));
	settle();
	stop_playing(1);
	play(1);
	ck_assert_int_eq(top_guests_wait(&guests, NULL, 0, 0), 0);
	ck_assert_int_eq(top_guests_ask(&guests, &error), 0);
	answer(1, "stats", STATS("1000000", "500000"));
	settle();
	ck_assert_double_eq_tol(guests.list[0].rates[TOP_CPU_US], 5e5, 1);
}
END_TEST

START_TEST(refusal_is_told)
{
	ck_assert_int_eq(top_guests_ask(&guests, &error), 0);
	answer(0, "stats", STATS("1000000", "500000"));
	answer(1, "stats", STATS("1000000", "500000"));
	settle();
	top_guests_tell(&guests, &guests.list[0], "pause");
	answer(0, "pause", "{\"ok\": false, \"id\": \"pause\", \"error\": \"not now\"}\n");
	ck_assert_int_eq(top_guests_wait(&guests, NULL, 0, 10000), 0);
	ck_assert_str_eq(guests.message, "one: not now");
}
END_TEST

Suite *top_suite(void)
{
	Suite *suite = suite_create("cli/top");
	TCase *table = tcase_create("table"), *asking = tcase_create("guests");

	suite_add_tcase(suite, table);
	tcase_add_checked_fixture(table, clear, NULL);
	tcase_add_test(table, first_rates_are_those_since_the_guests_start);
	tcase_add_test(table, later_rates_are_those_since_the_last_answer);
	tcase_add_test(table, guest_that_began_anew_is_measured_anew);
	tcase_add_test(table, counter_that_goes_back_is_no_rate);
	tcase_add_test(table, no_time_between_two_answers_is_no_rate);
	tcase_add_test(table, silent_guest_keeps_what_is_known_but_no_rates);
	tcase_add_loop_test(table, guests_are_sorted, 0, ARRAY_SIZE(orders));
	tcase_add_test(table, lines_are_aligned_and_have_bars);
	tcase_add_test(table, first_line_has_the_sum);
	tcase_add_test(table, names_get_what_the_line_has_left);
	suite_add_tcase(suite, asking);
	tcase_set_timeout(asking, 60);
	tcase_add_checked_fixture(asking, setup, teardown);
	tcase_add_test(asking, each_guest_is_asked_and_its_answer_taken);
	tcase_add_test(asking, silent_guest_holds_nobody_up);
	tcase_add_test(asking, guests_come_and_go);
	tcase_add_test(asking, refusal_is_told);
	return suite;
}
