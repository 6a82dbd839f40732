/* The token bucket: how much goes when, at times that the tests make up. */
#include "suites.h"

#include "util/bytes.h"
#include "util/clock.h"
#include "util/token_bucket.h"

#define T0 (1000 * NS_PER_S) /* when each test begins */

static struct token_bucket bucket;

static void start(uint64_t rate)
{
	bucket = (struct token_bucket){0};
	token_bucket_set_rate(&bucket, rate);
}

/* Takes n at a time as soon as the bucket allows, until the time `end`; returns how much that was. */
static uint64_t take_until(uint64_t end, uint64_t n)
{
	uint64_t now = T0, taken = 0, later;

	while (now < end) {
		later = token_bucket_ready_at(&bucket, n, now);
		if (later) {
			ck_assert_uint_gt(later, now);
			now = later;
			ck_assert_uint_eq(token_bucket_ready_at(&bucket, n, now), 0);
			continue;
		}
		token_bucket_take(&bucket, n, now);
		taken += n;
	}
	return taken;
}

START_TEST(without_a_rate_all_goes)
{
	start(0);
	for (int i = 0; i < 100; i++) {
		ck_assert_uint_eq(token_bucket_ready_at(&bucket, UINT64_MAX, T0), 0);
		token_bucket_take(&bucket, TOKEN_BUCKET_TAKE_MAX, T0);
	}
}
END_TEST

static const struct {
	uint64_t rate, size;
} flows[] = {
	{1, 1},
	{3, 1},
	{1000, 1},
	{1000, 7},
	{1000, 3000},
	{MIB(50), KIB(64)},
	{MIB(50), MIB(1)},
	{GIB(10), MIB(1)},
	{999999937, 1000003},
};

/* One second's worth at once, then the rate. Only what is larger than that may go into debt. */
START_TEST(rate_holds_after_a_burst_of_a_second)
{
	uint64_t rate = flows[_i].rate, size = flows[_i].size, burst, all;

	start(rate);
	burst = take_until(T0 + 1, size);
	ck_assert_uint_ge(burst, MAX(rate / size, 1) * size);
	ck_assert_uint_le(burst, MAX(rate / size, 1) * size + rate / 1000); /* ns are whole */
	start(rate);
	all = take_until(T0 + 9 * NS_PER_S, size);
	ck_assert_uint_le(all, 10 * rate + (size > rate ? size : rate / 1000 + 1));
	ck_assert_uint_ge(all, 10 * rate - MAX(rate / 100, size));
}
END_TEST

START_TEST(idle_time_fills_one_second_and_no_more)
{
	const uint64_t much_later = T0 + 3600 * NS_PER_S;

	start(100);
	token_bucket_take(&bucket, 100, T0);
	ck_assert_uint_eq(token_bucket_ready_at(&bucket, 1, T0), T0 + NS_PER_S / 100);
	ck_assert_uint_eq(token_bucket_ready_at(&bucket, 100, T0), T0 + NS_PER_S);
	ck_assert_uint_eq(token_bucket_ready_at(&bucket, 100, much_later), 0);
	token_bucket_take(&bucket, 100, much_later);
	ck_assert_uint_eq(token_bucket_ready_at(&bucket, 1, much_later), much_later + NS_PER_S / 100);
}
END_TEST

START_TEST(what_is_larger_than_the_bucket_passes_and_is_paid_for)
{
	start(1000);
	token_bucket_take(&bucket, 1, T0);
	ck_assert_uint_eq(token_bucket_ready_at(&bucket, 61000, T0), T0 + NS_PER_S / 1000);
	ck_assert_uint_eq(token_bucket_ready_at(&bucket, 61000, T0 + NS_PER_S / 1000), 0);
	start(1000);
	token_bucket_take(&bucket, 61000, T0);
	ck_assert_uint_eq(token_bucket_ready_at(&bucket, 0, T0), T0 + 60 * NS_PER_S);
}
END_TEST

START_TEST(slowest_rate_and_largest_request_do_not_wrap)
{
	start(1);
	token_bucket_take(&bucket, UINT64_MAX, T0);
	ck_assert_uint_eq(bucket.used_till, T0 - NS_PER_S + TOKEN_BUCKET_TAKE_MAX * NS_PER_S);
	ck_assert_uint_gt(token_bucket_ready_at(&bucket, UINT64_MAX, T0), bucket.used_till);
}
END_TEST

START_TEST(first_second_of_the_clock_is_no_special_time)
{
	start(10);
	token_bucket_take(&bucket, 10, NS_PER_S / 2);
	ck_assert_uint_eq(token_bucket_ready_at(&bucket, 5, NS_PER_S), 3 * NS_PER_S / 2);
	ck_assert_uint_eq(token_bucket_ready_at(&bucket, 5, 3 * NS_PER_S / 2), 0);
}
END_TEST

START_TEST(new_rate_forgets_debts_and_the_same_one_does_not)
{
	start(1);
	token_bucket_take(&bucket, 1000, T0);
	token_bucket_set_rate(&bucket, 1);
	ck_assert_uint_ne(token_bucket_ready_at(&bucket, 1, T0), 0);
	token_bucket_set_rate(&bucket, 2);
	ck_assert_uint_eq(token_bucket_ready_at(&bucket, 1, T0), 0);
	token_bucket_take(&bucket, 1000, T0);
	token_bucket_set_rate(&bucket, 0);
	ck_assert_uint_eq(token_bucket_ready_at(&bucket, 1, T0), 0);
}
END_TEST

Suite *token_bucket_suite(void)
{
	Suite *suite = suite_create("util/token_bucket");
	TCase *tcase = tcase_create("token bucket");

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, without_a_rate_all_goes);
	tcase_add_loop_test(tcase, rate_holds_after_a_burst_of_a_second, 0, ARRAY_SIZE(flows));
	tcase_add_test(tcase, idle_time_fills_one_second_and_no_more);
	tcase_add_test(tcase, what_is_larger_than_the_bucket_passes_and_is_paid_for);
	tcase_add_test(tcase, slowest_rate_and_largest_request_do_not_wrap);
	tcase_add_test(tcase, first_second_of_the_clock_is_no_special_time);
	tcase_add_test(tcase, new_rate_forgets_debts_and_the_same_one_does_not);
	return suite;
}
