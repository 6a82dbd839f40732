/* The histogram: percentiles of known values, within a bucket's error. */
#include "suites.h"

#include "util/bytes.h"
#include "util/histogram.h"

static struct histogram histogram;

static void add(uint64_t value, unsigned times)
{
	while (times--)
		histogram_add(&histogram, value);
}

/* Never below the true value, and above it by a step at most. */
static void expect(unsigned permille, uint64_t truth)
{
	uint64_t found = histogram_percentile(&histogram, permille);

	ck_assert_msg(found >= truth && found - truth <= truth / HISTOGRAM_STEPS, "%u: %lu for %lu", permille,
		(unsigned long)found, (unsigned long)truth);
}

START_TEST(empty_histogram_is_all_zero)
{
	ck_assert_uint_eq(histogram_count(&histogram), 0);
	ck_assert_uint_eq(histogram_percentile(&histogram, 500), 0);
	ck_assert_uint_eq(histogram_percentile(&histogram, 1000), 0);
}
END_TEST

START_TEST(small_values_are_exact)
{
	for (uint64_t value = 0; value < 2 * HISTOGRAM_STEPS; value++)
		add(value, 1);
	for (unsigned value = 1; value <= 2 * HISTOGRAM_STEPS; value++)
		ck_assert_uint_eq(
			histogram_percentile(&histogram, value * 1000 / (2 * HISTOGRAM_STEPS)), value - 1);
}
END_TEST

START_TEST(percentiles_of_an_even_spread)
{
	for (uint64_t value = 1; value <= 100000; value++)
		add(value, 1);
	ck_assert_uint_eq(histogram_count(&histogram), 100000);
	expect(1, 100);
	expect(500, 50000);
	expect(900, 90000);
	expect(990, 99000);
	expect(999, 99900);
	ck_assert_uint_eq(histogram_percentile(&histogram, 1000), 100000);
	ck_assert_uint_eq(histogram.max, 100000);
}
END_TEST

START_TEST(rare_slow_ones_show_in_the_tail_only)
{
	add(2000, 989);
	add(3000000, 10);
	add(UINT64_C(7000000000), 1);
	expect(500, 2000);
	expect(989, 2000);
	expect(990, 3000000);
	expect(999, 3000000);
	ck_assert_uint_eq(histogram_percentile(&histogram, 1000), UINT64_C(7000000000));
}
END_TEST

START_TEST(one_value_is_every_percentile)
{
	add(123456789, 1);
	for (unsigned permille = 1; permille <= 1000; permille++)
		ck_assert_uint_eq(histogram_percentile(&histogram, permille), 123456789);
}
END_TEST

/* At both ends of each power of two, and around them. */
START_TEST(every_size_of_value_lands_within_a_step)
{
	for (unsigned bit = 4; bit < HISTOGRAM_BITS; bit++) {
		uint64_t power = UINT64_C(1) << bit,
			 values[] = {power, power + 1, power + power / 2, 2 * power - 1};

		for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
			histogram = (struct histogram){0};
			add(values[i], 1);
			add(UINT64_C(1) << HISTOGRAM_BITS, 1);
			expect(500, values[i]);
		}
	}
}
END_TEST

START_TEST(values_beyond_the_range_count_as_the_largest)
{
	add(UINT64_MAX, 3);
	ck_assert_uint_eq(histogram_count(&histogram), 3);
	ck_assert_uint_eq(histogram_percentile(&histogram, 500), (UINT64_C(1) << HISTOGRAM_BITS) - 1);
	ck_assert_uint_eq(histogram.max, UINT64_MAX);
}
END_TEST

Suite *histogram_suite(void)
{
	Suite *suite = suite_create("util/histogram");
	TCase *tcase = tcase_create("histogram");

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, empty_histogram_is_all_zero);
	tcase_add_test(tcase, small_values_are_exact);
	tcase_add_test(tcase, percentiles_of_an_even_spread);
	tcase_add_test(tcase, rare_slow_ones_show_in_the_tail_only);
	tcase_add_test(tcase, one_value_is_every_percentile);
	tcase_add_test(tcase, every_size_of_value_lands_within_a_step);
	tcase_add_test(tcase, values_beyond_the_range_count_as_the_largest);
	return suite;
}
