/* Numbers as people type them. */
#include "suites.h"

#include <errno.h>
#include <inttypes.h>

#include "util/bytes.h"
#include "util/size.h"

static const struct {
	const char *text;
	uint64_t bytes;
} good_sizes[] = {
	{"0", 0},
	{"1", 1},
	{"512", 512},
	{"007", 7},
	{"1B", 1},
	{"1b", 1},
	{"64K", KIB(64)},
	{"64k", KIB(64)},
	{"64KB", KIB(64)},
	{"64KiB", KIB(64)},
	{"64kib", KIB(64)},
	{"128M", MIB(128)},
	{"128MiB", MIB(128)},
	{"2G", GIB(2)},
	{"2gb", GIB(2)},
	{"1T", GIB(1024)},
	{"18446744073709551615", UINT64_MAX},
	{"16777215T", (uint64_t)16777215 << 40},
	{"17179869183G", (uint64_t)17179869183 << 30},
};

START_TEST(size_with_a_unit_is_that_many_bytes)
{
	uint64_t bytes = 42;

	ck_assert_msg(!size_parse(good_sizes[_i].text, &bytes), "%s", good_sizes[_i].text);
	ck_assert_uint_eq(bytes, good_sizes[_i].bytes);
}
END_TEST

static const char *const no_sizes[] = {"", " ", " 1", "1 ", "-1", "+1", "0x10", "1.5G", "M", "KB", "1X", "1P",
	"1KK", "1iB", "1KiBs", "1Ki", "1BB", "1KBB", "ten", "1,000", "1\n"};

START_TEST(text_that_is_no_size_is_refused)
{
	uint64_t bytes = 42;

	ck_assert_msg(size_parse(no_sizes[_i], &bytes) == -EINVAL, "'%s'", no_sizes[_i]);
	ck_assert_uint_eq(bytes, 42);
}
END_TEST

static const char *const huge_sizes[] = {"18446744073709551616", "16777216T", "17179869184G",
	"18014398509481984K", "99999999999999999999999999", "18446744073709551615K"};

START_TEST(size_beyond_64_bits_is_out_of_range)
{
	uint64_t bytes = 42;

	ck_assert_msg(size_parse(huge_sizes[_i], &bytes) == -ERANGE, "'%s'", huge_sizes[_i]);
	ck_assert_uint_eq(bytes, 42);
}
END_TEST

START_TEST(number_keeps_its_limits)
{
	uint64_t value = 42;

	ck_assert_int_eq(number_parse("1", 1, 64, &value), 0);
	ck_assert_uint_eq(value, 1);
	ck_assert_int_eq(number_parse("64", 1, 64, &value), 0);
	ck_assert_uint_eq(value, 64);
	ck_assert_int_eq(number_parse("18446744073709551615", 0, UINT64_MAX, &value), 0);
	ck_assert_uint_eq(value, UINT64_MAX);
	value = 42;
	ck_assert_int_eq(number_parse("0", 1, 64, &value), -ERANGE);
	ck_assert_int_eq(number_parse("65", 1, 64, &value), -ERANGE);
	ck_assert_int_eq(number_parse("18446744073709551617", 1, 64, &value), -ERANGE);
	ck_assert_int_eq(number_parse("", 1, 64, &value), -EINVAL);
	ck_assert_int_eq(number_parse("-1", 1, 64, &value), -EINVAL);
	ck_assert_int_eq(number_parse("1K", 1, 64, &value), -EINVAL);
	ck_assert_int_eq(number_parse("4 ", 1, 64, &value), -EINVAL);
	ck_assert_uint_eq(value, 42);
}
END_TEST

static const struct {
	const char *text;
	int err;
	uint64_t ms;
} times[] = {
	{"0", 0, 0},
	{"2", 0, 2000},
	{"0.25", 0, 250},
	{"0.5", 0, 500},
	{"1.007", 0, 1007},
	{"30.010", 0, 30010},
	{"2147483647", 0, UINT64_C(2147483647000)},
	{"2147483648", -ERANGE, 0},
	{"99999999999999999999", -ERANGE, 0},
	{"0.0001", -EINVAL, 0},
	{"", -EINVAL, 0},
	{".5", -EINVAL, 0},
	{"-1", -EINVAL, 0},
	{"1s", -EINVAL, 0},
	{"1e3", -EINVAL, 0},
	{"1.2.3", -EINVAL, 0},
	{"inf", -EINVAL, 0},
	{"0,5", -EINVAL, 0},
};

START_TEST(seconds_are_milliseconds)
{
	uint64_t ms = 42;

	ck_assert_msg(seconds_parse(times[_i].text, &ms) == times[_i].err, "'%s'", times[_i].text);
	ck_assert_uint_eq(ms, times[_i].err ? 42 : times[_i].ms);
}
END_TEST

static const struct {
	uint64_t bytes;
	const char *text;
} for_people[] = {
	{0, "0 bytes"},
	{1023, "1023 bytes"},
	{1024, "1 KiB"},
	{1536, "1.5 KiB"},
	{MIB(128), "128 MiB"},
	{MIB(1536), "1.5 GiB"},
	{GIB(1024), "1 TiB"},
	{UINT64_MAX, "16 EiB"},
};

START_TEST(sizes_are_printed_for_people)
{
	char text[SIZE_TEXT_MAX];

	ck_assert_ptr_eq(size_format(for_people[_i].bytes, text), text);
	ck_assert_str_eq(text, for_people[_i].text);
}
END_TEST

Suite *size_suite(void)
{
	Suite *suite = suite_create("util/size");
	TCase *tcase = tcase_create("size");

	suite_add_tcase(suite, tcase);
	tcase_add_loop_test(tcase, size_with_a_unit_is_that_many_bytes, 0, ARRAY_SIZE(good_sizes));
	tcase_add_loop_test(tcase, text_that_is_no_size_is_refused, 0, ARRAY_SIZE(no_sizes));
	tcase_add_loop_test(tcase, size_beyond_64_bits_is_out_of_range, 0, ARRAY_SIZE(huge_sizes));
	tcase_add_test(tcase, number_keeps_its_limits);
	tcase_add_loop_test(tcase, seconds_are_milliseconds, 0, ARRAY_SIZE(times));
	tcase_add_loop_test(tcase, sizes_are_printed_for_people, 0, ARRAY_SIZE(for_people));
	return suite;
}
