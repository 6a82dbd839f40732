/* The event loop: who is woken, when, and how it ends. */
#include "suites.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "event/loop.h"
#include "lib/files.h"
#include "util/clock.h"

static struct event_loop loop;
static unsigned open_before;

/* A pipe whose reading end is in the loop. */
struct ear {
	struct event_source source;
	int writer;
	unsigned calls;
	unsigned stop_at; /* ends the loop at that call */
	uint32_t events;
	bool takes;                  /* reads the byte */
	struct event_source *victim; /* removed by the first call */
};

static void hear(void *ctx, uint32_t events)
{
	struct ear *ear = ctx;
	char byte;

	ear->events = events;
	if (ear->takes)
		ck_assert_int_ge(read(ear->source.fd, &byte, 1), 0);
	if (ear->victim)
		event_loop_remove(&loop, ear->victim);
	if (++ear->calls == ear->stop_at)
		event_loop_stop(&loop);
}

static void ear_init(struct ear *ear)
{
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	*ear = (struct ear){
		.source = {.fd = fds[0], .ready = hear, .ctx = ear},
		.writer = fds[1],
		.takes = true,
		.stop_at = 1,
	};
}

static void ring(const struct ear *ear)
{
	ck_assert_int_eq(write(ear->writer, "x", 1), 1);
}

static void setup(void)
{
	open_before = files_open_fds();
	ck_assert_int_eq(event_loop_init(&loop), 0);
}

static void teardown(void)
{
	event_loop_fini(&loop);
}

START_TEST(ready_source_is_served)
{
	struct ear ear;

	ear_init(&ear);
	ck_assert_int_eq(event_loop_set(&loop, &ear.source, EPOLLIN), 0);
	ring(&ear);
	ck_assert_int_eq(event_loop_run(&loop), 0);
	ck_assert_uint_eq(ear.calls, 1);
	ck_assert_uint_eq(ear.events, EPOLLIN);
}
END_TEST

START_TEST(source_is_served_until_it_is_read_empty)
{
	struct ear ear;

	ear_init(&ear);
	ear.stop_at = 3;
	event_loop_set(&loop, &ear.source, EPOLLIN);
	ring(&ear);
	ring(&ear);
	ring(&ear);
	ck_assert_int_eq(event_loop_run(&loop), 0);
	ck_assert_uint_eq(ear.calls, 3);
}
END_TEST

START_TEST(no_source_starves_another)
{
	struct ear busy, quiet;

	ear_init(&busy);
	ear_init(&quiet);
	busy.takes = false;
	busy.stop_at = 1000;
	event_loop_set(&loop, &busy.source, EPOLLIN);
	event_loop_set(&loop, &quiet.source, EPOLLIN);
	ring(&busy);
	ring(&quiet);
	event_loop_run(&loop);
	ck_assert_uint_eq(quiet.calls, 1);
	ck_assert_uint_lt(busy.calls, 10);
}
END_TEST

/* Nor is it told of a hang-up, which epoll reports unasked. */
START_TEST(sleeping_source_is_left_alone)
{
	struct ear sleeper, other;

	ear_init(&sleeper);
	ear_init(&other);
	event_loop_set(&loop, &sleeper.source, EPOLLIN);
	event_loop_set(&loop, &sleeper.source, 0);
	event_loop_set(&loop, &other.source, EPOLLIN);
	ring(&sleeper);
	close(sleeper.writer);
	other.takes = false;
	other.stop_at = 5;
	ring(&other);
	event_loop_run(&loop);
	ck_assert_uint_eq(sleeper.calls, 0);
	ck_assert_uint_eq(other.calls, 5);
}
END_TEST

START_TEST(source_that_slept_can_wake_again)
{
	struct ear ear;

	ear_init(&ear);
	event_loop_set(&loop, &ear.source, EPOLLIN);
	event_loop_set(&loop, &ear.source, 0);
	ring(&ear);
	ck_assert_int_eq(event_loop_set(&loop, &ear.source, EPOLLIN), 0);
	event_loop_run(&loop);
	ck_assert_uint_eq(ear.calls, 1);
}
END_TEST

START_TEST(source_waits_for_what_was_asked_last)
{
	struct ear ear;

	ear_init(&ear);
	ear.source.fd = ear.writer;
	ear.takes = false;
	ck_assert_int_eq(event_loop_set(&loop, &ear.source, EPOLLIN), 0);
	ck_assert_int_eq(event_loop_set(&loop, &ear.source, EPOLLOUT), 0);
	event_loop_run(&loop);
	ck_assert_uint_eq(ear.events, EPOLLOUT);
}
END_TEST

START_TEST(handler_may_remove_a_source_that_is_ready)
{
	struct ear first, second;

	ear_init(&first);
	ear_init(&second);
	first.takes = second.takes = false;
	first.victim = &second.source;
	second.victim = &first.source;
	first.stop_at = second.stop_at = 3;
	event_loop_set(&loop, &first.source, EPOLLIN);
	event_loop_set(&loop, &second.source, EPOLLIN);
	ring(&first);
	ring(&second);
	event_loop_run(&loop);
	ck_assert_uint_eq(first.calls + second.calls, 3);
	ck_assert_uint_eq(first.calls * second.calls, 0);
}
END_TEST

START_TEST(regular_file_cannot_be_polled)
{
	struct event_source source = {.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)};

	ck_assert_int_eq(event_loop_set(&loop, &source, EPOLLIN), -EPERM);
	ck_assert(!source.added);
	event_loop_remove(&loop, &source);
	source.fd = -1;
	ck_assert_int_eq(event_loop_set(&loop, &source, EPOLLIN), -EBADF);
}
END_TEST

START_TEST(loop_stopped_before_it_runs_ends_at_once)
{
	struct ear ear;

	ear_init(&ear);
	event_loop_set(&loop, &ear.source, EPOLLIN);
	ring(&ear);
	event_loop_stop(&loop);
	ck_assert_int_eq(event_loop_run(&loop), 0);
	ck_assert_int_eq(event_loop_run(&loop), 0);
	ck_assert_uint_eq(ear.calls, 0);
}
END_TEST

static void stop_the_loop(void *ctx, uint32_t events)
{
	(void)events;
	event_loop_stop(ctx);
}

START_TEST(stopped_loop_runs_again_when_it_is_restarted)
{
	struct ear ear;

	event_loop_restart(&loop); /* of one that nobody stopped */
	ear_init(&ear);
	ear.source.ready = stop_the_loop;
	ear.source.ctx = &loop;
	event_loop_set(&loop, &ear.source, EPOLLIN);
	event_loop_stop(&loop);
	event_loop_stop(&loop);
	event_loop_restart(&loop);
	ck_assert(!loop.stopped);
	ring(&ear);
	ck_assert_int_eq(event_loop_run(&loop), 0); /* ends by the ear alone */
	ck_assert(loop.stopped);
}
END_TEST

static void *stop_soon(void *unused)
{
	(void)unused;
	usleep(20000);
	event_loop_stop(&loop);
	return NULL;
}

START_TEST(other_thread_stops_a_waiting_loop)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, stop_soon, NULL), 0);
	ck_assert_int_eq(event_loop_run(&loop), 0);
	pthread_join(thread, NULL);
}
END_TEST

static void stop_by_signal(int number)
{
	(void)number;
	event_loop_stop(&loop);
}

static void ignore_signal(int number)
{
	(void)number;
}

START_TEST(signal_handler_stops_a_waiting_loop)
{
	struct sigaction action = {.sa_handler = stop_by_signal};

	sigaction(SIGALRM, &action, NULL);
	ualarm(20000, 0);
	ck_assert_int_eq(event_loop_run(&loop), 0);
}
END_TEST

START_TEST(signal_alone_does_not_end_the_loop)
{
	struct sigaction action = {.sa_handler = ignore_signal};
	uint64_t start = clock_ns();
	pthread_t thread;
	sigset_t alarm_only;

	sigaction(SIGALRM, &action, NULL);
	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm_only, NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, stop_soon, NULL), 0);
	pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL);
	ualarm(2000, 2000);
	ck_assert_int_eq(event_loop_run(&loop), 0);
	ck_assert_uint_ge(clock_ns() - start, 15000000);
	ualarm(0, 0);
	pthread_join(thread, NULL);
}
END_TEST

START_TEST(loop_leaves_no_descriptor_behind)
{
	struct event_timer timer;

	ck_assert_int_eq(event_timer_init(&timer, &loop, NULL, NULL), 0);
	event_timer_fini(&timer);
	event_timer_fini(&timer);
	event_loop_fini(&loop);
	event_loop_fini(&loop);
	ck_assert_uint_eq(files_open_fds(), open_before);
}
END_TEST

START_TEST(zeroed_loop_and_timer_can_be_finished)
{
	struct event_loop zeroed = {0};
	struct event_timer timer = {0};

	close(STDIN_FILENO);
	ck_assert_int_eq(open("/dev/null", O_RDONLY), STDIN_FILENO);
	event_loop_fini(&zeroed);
	event_timer_fini(&timer);
	ck_assert_int_ge(fcntl(STDIN_FILENO, F_GETFD), 0);
}
END_TEST

/* A program with its stdin closed gets descriptor 0 for something else. */
START_TEST(no_descriptor_is_left_where_stdin_was_closed)
{
	struct event_loop other;
	unsigned before;

	close(STDIN_FILENO);
	before = files_open_fds();
	ck_assert_int_eq(event_loop_init(&other), 0);
	event_loop_fini(&other);
	ck_assert_uint_eq(files_open_fds(), before);
}
END_TEST

/* Timers */

static unsigned expiries;

static void expire(void *ctx)
{
	expiries++;
	if (ctx)
		event_loop_stop(ctx);
}

START_TEST(timer_expires_once_and_not_before_its_time)
{
	struct event_timer timer, last;
	uint64_t start = clock_ns();

	ck_assert_int_eq(event_timer_init(&timer, &loop, expire, NULL), 0);
	ck_assert_int_eq(event_timer_init(&last, &loop, expire, &loop), 0);
	event_timer_arm(&timer, 5000000);
	event_timer_arm(&last, 40000000);
	ck_assert_int_eq(event_loop_run(&loop), 0);
	ck_assert_uint_ge(clock_ns() - start, 40000000);
	ck_assert_uint_lt(clock_ns() - start, 2000000000);
	ck_assert_uint_eq(expiries, 2);
	event_timer_fini(&timer);
	event_timer_fini(&last);
}
END_TEST

START_TEST(disarmed_timer_stays_silent)
{
	struct event_timer timer, last;

	event_timer_init(&timer, &loop, expire, NULL);
	event_timer_init(&last, &loop, expire, &loop);
	event_timer_arm(&timer, 1000000);
	event_timer_arm(&timer, 0);
	event_timer_arm(&last, 20000000);
	event_loop_run(&loop);
	ck_assert_uint_eq(expiries, 1);
}
END_TEST

START_TEST(timer_armed_anew_counts_from_then)
{
	struct event_timer timer;
	uint64_t start = clock_ns();

	event_timer_init(&timer, &loop, expire, &loop);
	event_timer_arm(&timer, 1000000);
	event_timer_arm(&timer, 1500000000);
	event_timer_arm(&timer, 30000000);
	event_loop_run(&loop);
	ck_assert_uint_ge(clock_ns() - start, 30000000);
	ck_assert_uint_lt(clock_ns() - start, 1400000000);
	ck_assert_uint_eq(expiries, 1);
}
END_TEST

START_TEST(stopped_loop_catches_up_with_all_that_is_ready_and_does_not_wait)
{
	struct ear ears[20];

	event_loop_stop(&loop);
	for (unsigned i = 0; i < 20; i++) {
		ear_init(&ears[i]);
		ears[i].takes = i % 2; /* some stay ready */
		ck_assert_int_eq(event_loop_set(&loop, &ears[i].source, EPOLLIN), 0);
		if (i < 19)
			ring(&ears[i]);
	}
	event_loop_catch_up(&loop);
	for (unsigned i = 0; i < 19; i++)
		ck_assert_uint_ge(ears[i].calls, 1);
	ck_assert_uint_eq(ears[19].calls, 0);
}
END_TEST

START_TEST(stopped_loop_catches_up_with_its_stop_once)
{
	struct pollfd stop = {.events = POLLIN};

	event_loop_stop(&loop);
	event_loop_stop(&loop);
	event_loop_catch_up(&loop);
	stop.fd = loop.stop_source.fd;
	ck_assert_int_eq(poll(&stop, 1, 0), 0);
	/* And it is still stopped. */
	ck_assert_int_eq(event_loop_run(&loop), 0);
}
END_TEST

Suite *event_loop_suite(void)
{
	Suite *suite = suite_create("event/loop");
	TCase *sources = tcase_create("sources"), *ends = tcase_create("ends");
	TCase *timers = tcase_create("timers");

	suite_add_tcase(suite, sources);
	tcase_add_checked_fixture(sources, setup, teardown);
	tcase_add_test(sources, ready_source_is_served);
	tcase_add_test(sources, source_is_served_until_it_is_read_empty);
	tcase_add_test(sources, no_source_starves_another);
	tcase_add_test(sources, sleeping_source_is_left_alone);
	tcase_add_test(sources, source_that_slept_can_wake_again);
	tcase_add_test(sources, source_waits_for_what_was_asked_last);
	tcase_add_test(sources, handler_may_remove_a_source_that_is_ready);
	tcase_add_test(sources, regular_file_cannot_be_polled);
	suite_add_tcase(suite, ends);
	tcase_add_checked_fixture(ends, setup, teardown);
	tcase_add_test(ends, loop_stopped_before_it_runs_ends_at_once);
	tcase_add_test(ends, stopped_loop_runs_again_when_it_is_restarted);
	tcase_add_test(ends, stopped_loop_catches_up_with_all_that_is_ready_and_does_not_wait);
	tcase_add_test(ends, stopped_loop_catches_up_with_its_stop_once);
	tcase_add_test(ends, other_thread_stops_a_waiting_loop);
	tcase_add_test(ends, signal_handler_stops_a_waiting_loop);
	tcase_add_test(ends, signal_alone_does_not_end_the_loop);
	tcase_add_test(ends, loop_leaves_no_descriptor_behind);
	tcase_add_test(ends, zeroed_loop_and_timer_can_be_finished);
	tcase_add_test(ends, no_descriptor_is_left_where_stdin_was_closed);
	suite_add_tcase(suite, timers);
	tcase_add_checked_fixture(timers, setup, teardown);
	tcase_add_test(timers, timer_expires_once_and_not_before_its_time);
	tcase_add_test(timers, disarmed_timer_stays_silent);
	tcase_add_test(timers, timer_armed_anew_counts_from_then);
	return suite;
}
