/* Traces: a line an event. */
#include "suites.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/trace.h"

static struct trace trace;
static int reader;

static void setup(void)
{
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	reader = fds[0];
	trace = (struct trace){.topics = TRACE_PIO, .fd = fds[1]};
}

static size_t traced(char *text, size_t size)
{
	ssize_t len = read(reader, text, size - 1);

	text[len > 0 ? len : 0] = '\0';
	return strlen(text);
}

START_TEST(wanted_topic_is_one_line)
{
	char text[64];

	TRACE(&trace, TRACE_PIO, "out 0x%x %u", 0x3f8, 65);
	TRACE(&trace, TRACE_PIO, "in");
	traced(text, sizeof(text));
	ck_assert_str_eq(text, "out 0x3f8 65\nin\n");
}
END_TEST

static int calls;

static int counted(void)
{
	return ++calls;
}

START_TEST(other_topics_cost_nothing)
{
	char text[64];

	TRACE(&trace, TRACE_MMIO, "%d", counted());
	trace.topics = 0;
	TRACE(&trace, TRACE_PIO, "%d", counted());
	ck_assert_int_eq(calls, 0);
	ck_assert_uint_eq(traced(text, sizeof(text)), 0);
}
END_TEST

START_TEST(overlong_line_is_cut_and_still_a_line)
{
	char text[600], longer[501];

	memset(longer, 'x', 500);
	longer[500] = '\0';
	TRACE(&trace, TRACE_PIO, "%s", longer);
	ck_assert_uint_ge(traced(text, sizeof(text)), 200);
	ck_assert_uint_le(strlen(text), 256);
	ck_assert_uint_eq(strspn(text, "x"), strlen(text) - 1);
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
}
END_TEST

START_TEST(trace_that_cannot_be_written_is_dropped)
{
	signal(SIGPIPE, SIG_IGN);
	close(reader);
	TRACE(&trace, TRACE_PIO, "nobody reads");
	close(trace.fd);
	TRACE(&trace, TRACE_PIO, "nor here");
	trace.fd = open("/dev/full", O_WRONLY);
	TRACE(&trace, TRACE_PIO, "nor here");
}
END_TEST

#define ALL (TRACE_PIO | TRACE_MMIO | TRACE_IRQ | TRACE_VIRTIO | TRACE_EXIT)

static const struct {
	const char *text;
	unsigned topics;
} lists[] = {
	{"pio", TRACE_PIO},
	{"mmio", TRACE_MMIO},
	{"irq", TRACE_IRQ},
	{"virtio", TRACE_VIRTIO},
	{"exit", TRACE_EXIT},
	{"all", ALL},
	{"pio,mmio", TRACE_PIO | TRACE_MMIO},
	{"exit,irq,exit", TRACE_EXIT | TRACE_IRQ},
	{"pio,mmio,irq,virtio,exit", ALL},
};

START_TEST(list_of_topics_is_their_sum)
{
	unsigned topics = 0;

	ck_assert_int_eq(trace_parse(lists[_i].text, &topics), 0);
	ck_assert_uint_eq(topics, lists[_i].topics);
}
END_TEST

static const char *const no_lists[] = {
	"", ",", "pio,", ",pio", "pi", "pios", "PIO", "pio mmio", "pio,,irq", "none", "pio;irq"};

START_TEST(unknown_topic_is_refused)
{
	unsigned topics = 42;

	ck_assert_msg(trace_parse(no_lists[_i], &topics) == -EINVAL, "'%s'", no_lists[_i]);
	ck_assert_uint_eq(topics, 42);
}
END_TEST

Suite *trace_suite(void)
{
	Suite *suite = suite_create("util/trace");
	TCase *tcase = tcase_create("trace");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, wanted_topic_is_one_line);
	tcase_add_test(tcase, other_topics_cost_nothing);
	tcase_add_test(tcase, overlong_line_is_cut_and_still_a_line);
	tcase_add_test(tcase, trace_that_cannot_be_written_is_dropped);
	tcase_add_loop_test(tcase, list_of_topics_is_their_sum, 0, ARRAY_SIZE(lists));
	tcase_add_loop_test(tcase, unknown_topic_is_refused, 0, ARRAY_SIZE(no_lists));
	return suite;
}
