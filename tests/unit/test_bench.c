/* The bench's arithmetic, and what it makes of samples: tests/bench/. */
#include "suites.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bench/report.h"

static struct samples samples;
static struct report report;
static char *text;

static void teardown(void)
{
	samples_fini(&samples);
	report_fini(&report);
	free(text);
}

static struct samples_summary summarize(size_t count, const double *values)
{
	for (size_t i = 0; i < count; i++)
		samples_add(&samples, values[i]);
	return samples_summarize(&samples);
}

START_TEST(no_samples_are_all_zero)
{
	struct samples_summary summary = samples_summarize(&samples);

	ck_assert_double_eq(summary.min, 0);
	ck_assert_double_eq(summary.median, 0);
	ck_assert_double_eq(summary.max, 0);
}
END_TEST

START_TEST(one_sample_is_its_own_spread)
{
	struct samples_summary summary = summarize(1, (double[]){7});

	ck_assert_double_eq(summary.min, 7);
	ck_assert_double_eq(summary.q1, 7);
	ck_assert_double_eq(summary.median, 7);
	ck_assert_double_eq(summary.q3, 7);
	ck_assert_double_eq(summary.max, 7);
}
END_TEST

START_TEST(quartiles_of_an_odd_count_are_samples)
{
	struct samples_summary summary = summarize(5, (double[]){50, 10, 40, 20, 30});

	ck_assert_double_eq(summary.min, 10);
	ck_assert_double_eq(summary.q1, 20);
	ck_assert_double_eq(summary.median, 30);
	ck_assert_double_eq(summary.q3, 40);
	ck_assert_double_eq(summary.max, 50);
}
END_TEST

START_TEST(quartiles_of_an_even_count_lie_between_samples)
{
	struct samples_summary summary = summarize(4, (double[]){4, 1, 3, 2});

	ck_assert_double_eq(summary.q1, 1.75);
	ck_assert_double_eq(summary.median, 2.5);
	ck_assert_double_eq(summary.q3, 3.25);
}
END_TEST

START_TEST(many_samples_keep_their_order)
{
	for (int i = 1000; i > 0; i--)
		samples_add(&samples, i);
	ck_assert_double_eq(samples_summarize(&samples).median, 500.5);
	ck_assert_double_eq(samples.values[0], 1000);
	ck_assert_double_eq(samples.values[999], 1);
}
END_TEST

/* As tests/bench/figures has them. */
#define FIGURES                                                      \
	"# a comment\n\n"                                            \
	"start/exit ms less bare<=1.5,qemu<=0.1 from fork to exit\n" \
	"blk/read   1/s more fio>=0.95 reads\n"                      \
	"memory/dirty KiB less <=1024 private memory\n"              \
	"memory/all  KiB less - all memory\n"

static int read_report(const char *figures, const char *results)
{
	FILE *a = fmemopen((void *)(uintptr_t)figures, strlen(figures), "r"),
	     *b = fmemopen((void *)(uintptr_t)results, strlen(results), "r");
	int err = report_read(&report, a, b);

	fclose(a);
	fclose(b);
	return err;
}

static void read_good(const char *results)
{
	ck_assert_int_eq(read_report(FIGURES, results), 0);
}

static struct report_verdict verdict(unsigned figure, unsigned index, size_t count)
{
	struct report_verdict verdicts[REPORT_VERDICTS_MAX];

	ck_assert_uint_eq(report_verdicts(&report.figures[figure], verdicts), count);
	return verdicts[index];
}

START_TEST(a_ratio_is_of_medians_and_has_its_goal)
{
	struct report_verdict bare, qemu;

	read_good("sample start/exit lodge 3\nsample start/exit bare 2\nsample start/exit qemu 10\n"
		  "sample start/exit lodge 100\nsample start/exit bare 2\nsample start/exit lodge 3\n");
	bare = verdict(0, 0, 2);
	ck_assert_str_eq(bare.other->name, "bare");
	ck_assert_double_eq(bare.value, 1.5);
	ck_assert_double_eq(bare.goal->limit, 1.5);
	ck_assert(bare.met);
	qemu = verdict(0, 1, 2);
	ck_assert_double_eq_tol(qemu.value, 0.3, 1e-9);
	ck_assert(!qemu.met);
}
END_TEST

START_TEST(a_rate_has_a_goal_from_below)
{
	read_good("sample blk/read lodge 94\nsample blk/read fio 100\n");
	ck_assert(!verdict(1, 0, 1).met);
	samples_add(&report.figures[1].contenders[0].samples, 98);
	ck_assert(verdict(1, 0, 1).met);
}
END_TEST

START_TEST(a_goal_without_a_yardstick_is_judged_by_itself)
{
	read_good(
		"sample memory/dirty lodge 1024\nsample memory/dirty qemu 5000\nsample memory/all lodge 1\n");
	ck_assert_ptr_null(verdict(2, 0, 2).other);
	ck_assert(verdict(2, 0, 2).met);
	ck_assert_ptr_null(verdict(2, 1, 2).goal);
	ck_assert_ptr_null(verdict(3, 0, 1).goal);
}
END_TEST

START_TEST(who_is_missing_meets_no_goal)
{
	read_good("skip blk fio no fio here\nsample blk/read lodge 3\nfail memory/dirty lodge it broke\n");
	ck_assert(!verdict(1, 0, 1).known);
	ck_assert(!verdict(1, 0, 1).met);
	ck_assert_str_eq(report.figures[1].contenders[0].missing, "not measured: no fio here");
	ck_assert_str_eq(report.figures[2].contenders[0].missing, "failed: it broke");
	/* Told of one figure, it does not concern the others of the bench. */
	ck_assert_uint_eq(report.figures[3].contender_count, 0);
}
END_TEST

START_TEST(bad_lines_are_refused)
{
	static const char *const results[] = {"sample start/exit lodge fast\n",
		"sample start/exit lodge nan\n", "sample no/such lodge 1\n", "sample start/exit\n", "hello\n",
		"fact\n", "skip blk\n"};
	static const char *const figures[] = {"a/b ms less\n", "a/b ms fewer - what\n",
		"a/b ms less bare=1 what\n", "a/b ms less bare<=x what\n"};

	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		ck_assert_msg(read_report(FIGURES, results[i]) == -1, "%s", results[i]);
		report_fini(&report);
		report = (struct report){0};
	}
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		ck_assert_msg(read_report(figures[i], "\n") == -1, "%s", figures[i]);
		report = (struct report){0};
	}
}
END_TEST

#define RESULTS                                                                            \
	"fact cpu a \"fast\" one\n"                                                        \
	"sample start/exit lodge 3\nsample start/exit lodge 5\nsample start/exit bare 2\n" \
	"skip start qemu no qemu here\n"                                                   \
	"sample memory/dirty lodge 1025\n"

static void write_text(void (*write)(const struct report *report, FILE *out))
{
	size_t size;
	FILE *out = open_memstream(&text, &size);

	write(&report, out);
	fclose(out);
}

START_TEST(table_has_a_row_for_each_comparison)
{
	read_good(RESULTS);
	write_text(report_write_table);
	ck_assert_ptr_nonnull(strstr(text, "- cpu: a \"fast\" one\n"));
	ck_assert_ptr_nonnull(
		strstr(text, "\n| `start/exit` | from fork to exit | 4.00 ms (3.50 - 4.50; 3.00 - 5.00) | "
			     "bare: 2.00 ms | 2.00 | at most 1.50: **missed** |\n"));
	ck_assert_ptr_nonnull(strstr(text, "\n| `start/exit` |  |  | qemu: not measured: no qemu here |  | "
					   "at most 0.10: not measured |\n"));
	ck_assert_ptr_nonnull(strstr(text, "\n| `memory/dirty` | private memory | 1025 KiB |  |  | "
					   "at most 1024: **missed** |\n"));
	ck_assert_ptr_null(strstr(text, "memory/all"));
	ck_assert_ptr_null(strstr(text, "blk"));
}
END_TEST

START_TEST(plot_turns_rates_into_costs)
{
	read_good("sample start/exit lodge 3\nsample start/exit bare 2\nsample blk/read lodge 50\n"
		  "sample blk/read fio 100\nsample memory/dirty lodge 7\n");
	write_text(report_write_plot);
	ck_assert_str_eq(text, "0\tstart/exit : bare\t1.5\t1.5\t1.5\t1.5\n"
			       "1\tblk/read : fio\t2\t2\t2\t1.05263\n");
}
END_TEST

/* The fields that docs/performance.md names. */
START_TEST(json_has_the_documented_fields)
{
	json_t *root, *figure, *contender, *first;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	read_good(RESULTS);
	ck_assert_int_eq(report_write_json(&report, out), 0);
	fclose(out);
	root = json_loads(text, 0, NULL);
	ck_assert_int_eq(json_integer_value(json_object_get(root, "format")), 1);
	ck_assert_str_eq(
		json_string_value(json_object_get(json_object_get(root, "facts"), "cpu")), "a \"fast\" one");
	ck_assert_uint_eq(json_array_size(json_object_get(root, "figures")), 2);
	figure = json_array_get(json_object_get(root, "figures"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(figure, "name")), "start/exit");
	ck_assert_str_eq(json_string_value(json_object_get(figure, "what")), "from fork to exit");
	ck_assert_str_eq(json_string_value(json_object_get(figure, "unit")), "ms");
	ck_assert_str_eq(json_string_value(json_object_get(figure, "better")), "less");
	contender = json_array_get(json_object_get(figure, "contenders"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(contender, "name")), "lodge");
	ck_assert_uint_eq(json_array_size(json_object_get(contender, "samples")), 2);
	ck_assert_double_eq(json_real_value(json_object_get(contender, "min")), 3);
	ck_assert_double_eq(json_real_value(json_object_get(contender, "q1")), 3.5);
	ck_assert_double_eq(json_real_value(json_object_get(contender, "median")), 4);
	ck_assert_double_eq(json_real_value(json_object_get(contender, "q3")), 4.5);
	ck_assert_double_eq(json_real_value(json_object_get(contender, "max")), 5);
	contender = json_array_get(json_object_get(figure, "contenders"), 2);
	ck_assert_str_eq(
		json_string_value(json_object_get(contender, "missing")), "not measured: no qemu here");
	first = json_array_get(json_object_get(figure, "verdicts"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(first, "of")), "bare");
	ck_assert_double_eq(json_real_value(json_object_get(first, "value")), 2);
	ck_assert_double_eq(json_real_value(json_object_get(first, "at_most")), 1.5);
	ck_assert(json_is_false(json_object_get(first, "met")));
	first = json_array_get(json_object_get(figure, "verdicts"), 1);
	ck_assert(json_is_null(json_object_get(first, "value")));
	ck_assert(json_is_null(json_object_get(first, "met")));
	json_decref(root);
}
END_TEST

Suite *bench_suite(void)
{
	Suite *suite = suite_create("bench");
	TCase *tcase = tcase_create("bench");

	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, no_samples_are_all_zero);
	tcase_add_test(tcase, one_sample_is_its_own_spread);
	tcase_add_test(tcase, quartiles_of_an_odd_count_are_samples);
	tcase_add_test(tcase, quartiles_of_an_even_count_lie_between_samples);
	tcase_add_test(tcase, many_samples_keep_their_order);
	tcase_add_test(tcase, a_ratio_is_of_medians_and_has_its_goal);
	tcase_add_test(tcase, a_rate_has_a_goal_from_below);
	tcase_add_test(tcase, a_goal_without_a_yardstick_is_judged_by_itself);
	tcase_add_test(tcase, who_is_missing_meets_no_goal);
	tcase_add_test(tcase, bad_lines_are_refused);
	tcase_add_test(tcase, table_has_a_row_for_each_comparison);
	tcase_add_test(tcase, plot_turns_rates_into_costs);
	tcase_add_test(tcase, json_has_the_documented_fields);
	suite_add_tcase(suite, tcase);
	return suite;
}
