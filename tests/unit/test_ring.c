/* The ring of bytes. */
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "util/ring.h"

#define SIZE 8

static struct ring ring;
static uint8_t bytes[SIZE + 1];

static void setup(void)
{
	memset(bytes, 0xee, sizeof(bytes));
	ring_init(&ring, bytes, SIZE);
}

static size_t put(const char *text)
{
	return ring_put(&ring, (const uint8_t *)text, strlen(text));
}

static void expect_run(const char *text)
{
	size_t len;
	const uint8_t *run = ring_peek(&ring, &len);

	ck_assert_uint_eq(len, strlen(text));
	ck_assert_mem_eq(run, text, len);
}

START_TEST(new_ring_is_empty)
{
	size_t len = 42;

	ck_assert_uint_eq(ring_used(&ring), 0);
	ck_assert_uint_eq(ring_room(&ring), SIZE);
	ring_peek(&ring, &len);
	ck_assert_uint_eq(len, 0);
}
END_TEST

START_TEST(full_ring_takes_what_fits_and_no_more)
{
	ck_assert_uint_eq(put("abcdef"), 6);
	ck_assert_uint_eq(put("ghijk"), 2);
	ck_assert_uint_eq(put("l"), 0);
	ck_assert_uint_eq(ring_room(&ring), 0);
	ck_assert_uint_eq(ring_used(&ring), SIZE);
	expect_run("abcdefgh");
	ck_assert_uint_eq(bytes[SIZE], 0xee);
}
END_TEST

START_TEST(bytes_that_wrap_come_out_in_two_runs)
{
	put("abcdef");
	ring_drop(&ring, 5);
	ck_assert_uint_eq(put("ghijk"), 5);
	expect_run("fgh");
	ring_drop(&ring, 3);
	expect_run("ijk");
	ring_drop(&ring, 3);
	expect_run("");
	ck_assert_uint_eq(bytes[SIZE], 0xee);
}
END_TEST

START_TEST(peeking_takes_nothing)
{
	put("abc");
	expect_run("abc");
	expect_run("abc");
	ring_drop(&ring, 1);
	expect_run("bc");
	ck_assert_uint_eq(ring_used(&ring), 2);
}
END_TEST

/* The counters run freely: they pass SIZE_MAX one day. */
START_TEST(order_is_kept_when_the_counters_wrap)
{
	uint8_t in = 0, out = 0;

	srand(1);
	ring.head = ring.tail = SIZE_MAX - 100;
	for (unsigned i = 0; i < 1000; i++) {
		uint8_t some[SIZE];
		size_t count = (size_t)rand() % (SIZE + 1), taken, len;
		const uint8_t *run;

		for (size_t k = 0; k < count; k++)
			some[k] = (uint8_t)(in + k);
		taken = ring_put(&ring, some, count);
		in += (uint8_t)taken;
		ck_assert_uint_eq(ring_used(&ring), (uint8_t)(in - out));
		run = ring_peek(&ring, &len);
		len = len ? (size_t)rand() % len + 1 : 0;
		for (size_t k = 0; k < len; k++)
			ck_assert_uint_eq(run[k], out++);
		ring_drop(&ring, len);
	}
	ck_assert_uint_lt(ring.head, SIZE_MAX / 2);
}
END_TEST

Suite *ring_suite(void)
{
	Suite *suite = suite_create("util/ring");
	TCase *tcase = tcase_create("ring");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, new_ring_is_empty);
	tcase_add_test(tcase, full_ring_takes_what_fits_and_no_more);
	tcase_add_test(tcase, bytes_that_wrap_come_out_in_two_runs);
	tcase_add_test(tcase, peeking_takes_nothing);
	tcase_add_test(tcase, order_is_kept_when_the_counters_wrap);
	return suite;
}
