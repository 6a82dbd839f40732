/* The ring of a stream's newest bytes. */
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"
#include "util/ring.h"

#define SIZE 8

static struct ring ring;
static uint8_t bytes[SIZE + 1];

static void setup(void)
{
	memset(bytes, 0xee, sizeof(bytes));
	ring_init(&ring, bytes, SIZE);
}

static void teardown(void)
{
	ck_assert_uint_eq(bytes[SIZE], 0xee);
}

static void put(const char *text)
{
	ring_write(&ring, (const uint8_t *)text, strlen(text));
}

/* Reads up to len bytes from `at`, which is moved to `from` first where that has been overtaken. */
static void expect(uint64_t at, size_t len, const char *text, uint64_t from)
{
	uint8_t copy[SIZE + 1];

	memset(copy, 0xdd, sizeof(copy));
	ck_assert_uint_eq(ring_read(&ring, &at, copy, len), strlen(text));
	ck_assert_mem_eq(copy, text, strlen(text));
	ck_assert_uint_eq(copy[strlen(text)], 0xdd);
	ck_assert_uint_eq(at, from);
}

START_TEST(new_ring_is_empty)
{
	ck_assert_uint_eq(ring_start(&ring), 0);
	expect(0, SIZE, "", 0);
}
END_TEST

START_TEST(readers_have_places_of_their_own)
{
	put("abcdef");
	expect(0, SIZE, "abcdef", 0);
	expect(0, 2, "ab", 0);
	expect(2, 2, "cd", 2);
	expect(5, SIZE, "f", 5);
	expect(6, SIZE, "", 6);
	put("g");
	expect(6, SIZE, "g", 6);
}
END_TEST

START_TEST(full_ring_loses_what_is_oldest)
{
	put("abcdefgh");
	ck_assert_uint_eq(ring_start(&ring), 0);
	expect(0, SIZE, "abcdefgh", 0);
	put("ijk");
	ck_assert_uint_eq(ring_start(&ring), 3);
	expect(0, SIZE, "defghijk", 3);
	expect(3, 2, "de", 3);
	expect(7, SIZE, "hijk", 7);
	expect(7, 2, "hi", 7);
	expect(9, SIZE, "jk", 9);
}
END_TEST

START_TEST(more_than_a_ring_at_once_leaves_its_end)
{
	put("ab");
	put("cdefghijklmnopqrstuvw");
	ck_assert_uint_eq(ring.written, 23);
	expect(0, SIZE, "pqrstuvw", 15);
}
END_TEST

/* Two readers, one of which is often overtaken, against a stream in which byte n is n. */
START_TEST(order_is_kept_past_4_gib)
{
	uint64_t quick, slow;

	srand(1);
	ring.written = quick = slow = UINT32_MAX - 500;
	for (unsigned i = 0; i < 1000; i++) {
		uint8_t some[2 * SIZE], copy[SIZE];
		size_t count = (size_t)rand() % (SIZE + 1), len;

		for (size_t k = 0; k < count; k++)
			some[k] = (uint8_t)(ring.written + k);
		ring_write(&ring, some, count);
		len = ring_read(&ring, &quick, copy, sizeof(copy));
		for (size_t k = 0; k < len; k++)
			ck_assert_uint_eq(copy[k], (uint8_t)quick++);
		ck_assert_uint_eq(quick, ring.written);
		len = ring_read(&ring, &slow, copy, 2);
		ck_assert_uint_ge(slow, ring_start(&ring));
		for (size_t k = 0; k < len; k++)
			ck_assert_uint_eq(copy[k], (uint8_t)slow++);
	}
	ck_assert_uint_gt(ring.written, UINT32_MAX);
}
END_TEST

Suite *ring_suite(void)
{
	Suite *suite = suite_create("util/ring");
	TCase *tcase = tcase_create("ring");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, new_ring_is_empty);
	tcase_add_test(tcase, readers_have_places_of_their_own);
	tcase_add_test(tcase, full_ring_loses_what_is_oldest);
	tcase_add_test(tcase, more_than_a_ring_at_once_leaves_its_end);
	tcase_add_test(tcase, order_is_kept_past_4_gib);
	return suite;
}
