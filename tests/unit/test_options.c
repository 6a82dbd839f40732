/* Options as a table: the parser in GNU fashion, its messages, its help. */
#include "suites.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "util/bytes.h"

struct target {
	char log[128]; /* "memory=1M verbose ..." in the order of the calls */
};

static void note(void *target, const char *name, const char *value)
{
	struct target *t = target;
	size_t len = strlen(t->log);

	snprintf(t->log + len, sizeof(t->log) - len, "%s%s%s ", name, value ? "=" : "", value ? value : "");
}

static int set_memory(void *target, const char *value, struct error *error)
{
	if (!strcmp(value, "bad"))
		return error_set(error, ERROR_USAGE, -EINVAL, "-m 'bad': no");
	note(target, "memory", value);
	return 0;
}

static int set_report(void *target, const char *value, struct error *error)
{
	(void)error;
	note(target, "report", value);
	return 0;
}

static int set_reset(void *target, const char *value, struct error *error)
{
	(void)error;
	note(target, "reset", value);
	return 0;
}

static int set_verbose(void *target, const char *value, struct error *error)
{
	(void)error;
	note(target, "verbose", value);
	return 0;
}

static const struct option_row rows[] = {
	{"memory", 'm', "SIZE", "how much", .set = set_memory},
	{"report", 0, "FILE", "where to\nand a second line", .set = set_report},
	{"reset-with-a-name-of-some-length", 0, NULL, "what", .set = set_reset},
	{"verbose", 'v', NULL, "say more", .set = set_verbose},
	{0},
};

#define ARGUMENTS_MAX 8

static struct target target;
static struct error error;
static int operand;
static char *argv[ARGUMENTS_MAX + 1];

static int parse_by(const struct option_row *by, void *to, const char *const arguments[ARGUMENTS_MAX])
{
	int argc = 1;

	argv[0] = strdup("run");
	for (; argc < ARGUMENTS_MAX && arguments[argc - 1]; argc++)
		argv[argc] = strdup(arguments[argc - 1]);
	argv[argc] = NULL;
	operand = -1;
	return options_parse(by, argc, argv, to, &operand, &error);
}

static int parse(const char *const arguments[ARGUMENTS_MAX])
{
	memset(&target, 0, sizeof(target));
	return parse_by(rows, &target, arguments);
}

static void teardown(void)
{
	for (unsigned i = 0; i < ARGUMENTS_MAX; i++)
		free(argv[i]);
}

static const struct {
	const char *arguments[ARGUMENTS_MAX];
	const char *log;
	const char *operands; /* joined */
} good[] = {
	{{NULL}, "", ""},
	{{"-m", "1M"}, "memory=1M ", ""},
	{{"-m1M"}, "memory=1M ", ""},
	{{"--memory", "1M"}, "memory=1M ", ""},
	{{"--memory=1M"}, "memory=1M ", ""},
	{{"--mem=1M"}, "memory=1M ", ""},
	{{"--memory="}, "memory= ", ""},
	{{"--memory", "-v"}, "memory=-v ", ""},
	{{"-v", "--verbose", "--verb"}, "verbose verbose verbose ", ""},
	{{"-vm", "2"}, "verbose memory=2 ", ""},
	{{"-vm2"}, "verbose memory=2 ", ""},
	{{"-m", "1", "-m", "2"}, "memory=1 memory=2 ", ""},
	{{"kernel", "-v"}, "verbose ", "kernel"},
	{{"-v", "kernel", "-m", "3", "other"}, "verbose memory=3 ", "kernelother"},
	{{"--", "-v"}, "", "-v"},
	{{"kernel", "--", "--help"}, "", "kernel--help"},
	{{"-"}, "", "-"},
	{{"--report=a=b,c"}, "report=a=b,c ", ""},
};

START_TEST(arguments_are_taken_in_gnu_fashion)
{
	char operands[64] = "";

	ck_assert_msg(!parse(good[_i].arguments), "%s", error.text);
	ck_assert_str_eq(target.log, good[_i].log);
	for (int i = operand; argv[i]; i++)
		strcat(operands, argv[i]);
	ck_assert_str_eq(operands, good[_i].operands);
}
END_TEST

static const struct {
	const char *arguments[ARGUMENTS_MAX];
	const char *text;
} bad[] = {
	{{"-m"}, "option '-m' needs a value"},
	{{"-vm"}, "option '-vm' needs a value"},
	{{"--memory"}, "option '--memory' needs a value"},
	{{"--report"}, "option '--report' needs a value"},
	{{"-x"}, "unknown option '-x'"},
	{{"-vx"}, "unknown option '-x'"},
	{{"-?"}, "unknown option '-?'"},
	{{"--nothing"}, "unknown or ambiguous option '--nothing'"},
	{{"--nothing=1"}, "unknown or ambiguous option '--nothing=1'"},
	{{"--re"}, "unknown or ambiguous option '--re'"},
	{{"--verbose=1"}, "option '--verbose=1' takes no value"},
	{{"--help=1"}, "option '--help=1' takes no value"},
	{{"-m", "bad"}, "-m 'bad': no"},
};

START_TEST(bad_argument_is_named)
{
	ck_assert_int_eq(parse(bad[_i].arguments), -EINVAL);
	ck_assert_int_eq(error.kind, ERROR_USAGE);
	ck_assert_str_eq(error.text, bad[_i].text);
	ck_assert_int_eq(operand, -1);
}
END_TEST

static const char *const helps[][ARGUMENTS_MAX] = {
	{"-h"}, {"--help"}, {"--he"}, {"-vh"}, {"kernel", "--help"}, {"--help", "--nothing"}};

START_TEST(help_is_every_commands)
{
	ck_assert_int_eq(parse(helps[_i]), OPTIONS_HELP);
}
END_TEST

/* A later parse must not go on in the middle of a word where an earlier one stopped. */
START_TEST(parser_can_run_again)
{
	static const char *const cut_short[ARGUMENTS_MAX] = {"-xv", "-v"};
	static const char *const whole[ARGUMENTS_MAX] = {"-m", "1", "kernel"};
	char *first[ARGUMENTS_MAX + 1];

	ck_assert_int_eq(parse(cut_short), -EINVAL);
	memcpy(first, argv, sizeof(argv));
	ck_assert_int_eq(parse(whole), 0);
	ck_assert_str_eq(target.log, "memory=1 ");
	ck_assert_int_eq(operand, 3);
	for (unsigned i = 0; first[i]; i++)
		free(first[i]);
}
END_TEST

START_TEST(help_shows_every_row_aligned)
{
	static const char expected[] = "  -m, --memory SIZE         how much\n"
				       "      --report FILE         where to\n"
				       "                            and a second line\n"
				       "      --reset-with-a-name-of-some-length\n"
				       "                            what\n"
				       "  -v, --verbose             say more\n"
				       "  -h, --help                print this text\n";
	char text[1024];
	int fds[2], saved = dup(STDOUT_FILENO);
	ssize_t len;

	ck_assert_int_eq(pipe(fds), 0);
	fflush(stdout);
	dup2(fds[1], STDOUT_FILENO);
	options_print(rows);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	len = read(fds[0], text, sizeof(text) - 1);
	ck_assert_int_gt(len, 0);
	text[len] = '\0';
	ck_assert_str_eq(text, expected);
}
END_TEST

START_TEST(what_needs_no_judgement_goes_where_its_row_says)
{
	struct plain {
		bool other, quiet;
		const char *file, *name;
	} plain = {.name = "as it was"};
	static const struct option_row plain_rows[] = {
		{"file", 'f', "FILE", "where", .at = OPTION_TEXT(struct plain, file)},
		{"name", 0, "NAME", "who", .at = OPTION_TEXT(struct plain, name)},
		{"other", 0, NULL, "what", .at = OPTION_FLAG(struct plain, other)},
		{"quiet", 'q', NULL, "how", .at = OPTION_FLAG(struct plain, quiet)},
		{0},
	};
	static const char *const arguments[ARGUMENTS_MAX] = {"-q", "--file=a", "-f", "b"};

	ck_assert_int_eq(parse_by(plain_rows, &plain, arguments), 0);
	ck_assert(plain.quiet && !plain.other);
	ck_assert_str_eq(plain.file, "b");
	ck_assert_str_eq(plain.name, "as it was");
}
END_TEST

Suite *options_suite(void)
{
	Suite *suite = suite_create("cli/options");
	TCase *tcase = tcase_create("options");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_loop_test(tcase, arguments_are_taken_in_gnu_fashion, 0, ARRAY_SIZE(good));
	tcase_add_loop_test(tcase, bad_argument_is_named, 0, ARRAY_SIZE(bad));
	tcase_add_loop_test(tcase, help_is_every_commands, 0, ARRAY_SIZE(helps));
	tcase_add_test(tcase, parser_can_run_again);
	tcase_add_test(tcase, what_needs_no_judgement_goes_where_its_row_says);
	tcase_add_test(tcase, help_shows_every_row_aligned);
	return suite;
}
