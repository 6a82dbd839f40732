/* Limits and disk rates as people type them. */
#include "suites.h"

#include <errno.h>
#include <string.h>

#include "cli/limits.h"
#include "util/bytes.h"
#include "util/error.h"

#define BAD UINT64_MAX

static struct error error;

static const struct {
	const struct limit *limit;
	const char *value;
	uint64_t wanted;
} values[] = {
	{&cpu_max_limit, "50%", 50},
	{&cpu_max_limit, "50", 50},
	{&cpu_max_limit, "1%", 1},
	{&cpu_max_limit, "6400%", 6400},
	{&cpu_max_limit, "none", 0},
	{&cpu_max_limit, "6401", BAD},
	{&cpu_max_limit, "0", BAD},
	{&cpu_max_limit, "", BAD},
	{&cpu_max_limit, "%", BAD},
	{&cpu_max_limit, "50%%", BAD},
	{&cpu_max_limit, "-5", BAD},
	{&cpu_max_limit, "0.5", BAD},
	{&cpu_max_limit, "12345678901234567890", BAD},
	{&cpu_share_limit, "1", 1},
	{&cpu_share_limit, "10000", 10000},
	{&cpu_share_limit, "none", 0},
	{&cpu_share_limit, "0", BAD},
	{&cpu_share_limit, "10001", BAD},
	{&cpu_share_limit, "50%", BAD},
	{&memory_max_limit, "2G", GIB(2)},
	{&memory_max_limit, "none", 0},
	{&memory_max_limit, "0", BAD},
	{&memory_max_limit, "50%", BAD},
	{&memory_max_limit, "8388608T", BAD},
};

START_TEST(a_limit_is_a_number_in_its_range_or_none)
{
	uint64_t limit = 7;
	int err = limit_parse(values[_i].limit, "--key", values[_i].value, &limit, &error);

	if (values[_i].wanted != BAD) {
		ck_assert_int_eq(err, 0);
		ck_assert_uint_eq(limit, values[_i].wanted);
		return;
	}
	ck_assert_int_eq(err, -EINVAL);
	ck_assert_int_eq(error.kind, ERROR_USAGE);
	ck_assert_ptr_eq(strstr(error.text, "--key '"), error.text);
	ck_assert_ptr_nonnull(strstr(error.text, values[_i].limit->want));
}
END_TEST

static const struct {
	const char *value;
	struct disk_rate wanted;
} rates[] = {
	{"bytes=50M", {0, LODGE_DISKS_MAX, {MIB(50), 0}}},
	{"requests=200", {0, LODGE_DISKS_MAX, {0, 200}}},
	{"requests=200,bytes=1M", {0, LODGE_DISKS_MAX, {MIB(1), 200}}},
	{"7:bytes=1", {7, 1, {1, 0}}},
	{"0:requests=1", {0, 1, {0, 1}}},
	{"none", {0, LODGE_DISKS_MAX, {0, 0}}},
	{"3:none", {3, 1, {0, 0}}},
};

START_TEST(a_rate_is_of_one_disk_or_of_all)
{
	const struct disk_rate *wanted = &rates[_i].wanted;
	struct disk_rate rate;

	ck_assert_int_eq(disk_rate_parse("disk-rate", rates[_i].value, &rate, &error), 0);
	ck_assert_uint_eq(rate.first, wanted->first);
	ck_assert_uint_eq(rate.count, wanted->count);
	ck_assert_uint_eq(rate.rate.bytes_per_s, wanted->rate.bytes_per_s);
	ck_assert_uint_eq(rate.rate.requests_per_s, wanted->rate.requests_per_s);
}
END_TEST

static const char *const bad_rates[] = {"", "50M", "bytes", "bytes=", "bytes=0", "bytes=x", "bytes=none",
	"requests=0", "requests=1M", "bytes=1M,", ",bytes=1M", "bytes=1M,none", "8:bytes=1M", "-1:bytes=1M",
	":bytes=1M", "x:bytes=1M", "12345:bytes=1M", "1:", "1:2:bytes=1M", "bytes=99999999999T",
	"requests=9223372036854775808",
	"bytes=1,bytes=1,bytes=1,bytes=1,bytes=1,bytes=1,bytes=1,bytes=1,bytes=1"};

START_TEST(what_is_no_rate_is_an_error_that_shows_one)
{
	struct disk_rate rate;

	ck_assert_int_eq(disk_rate_parse("disk-rate", bad_rates[_i], &rate, &error), -EINVAL);
	ck_assert_int_eq(error.kind, ERROR_USAGE);
	ck_assert_ptr_eq(strstr(error.text, "disk-rate '"), error.text);
}
END_TEST

Suite *limits_suite(void)
{
	Suite *suite = suite_create("limits");
	TCase *tcase = tcase_create("limits");

	tcase_add_loop_test(tcase, a_limit_is_a_number_in_its_range_or_none, 0, ARRAY_SIZE(values));
	tcase_add_loop_test(tcase, a_rate_is_of_one_disk_or_of_all, 0, ARRAY_SIZE(rates));
	tcase_add_loop_test(tcase, what_is_no_rate_is_an_error_that_shows_one, 0, ARRAY_SIZE(bad_rates));
	suite_add_tcase(suite, tcase);
	return suite;
}
