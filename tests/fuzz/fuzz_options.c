/* The words behind `lodge run`: the input has one a line. Nothing is opened, and nothing runs. */
#include "fuzz.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/limits.h"
#include "cli/run_options.h"
#include "util/bytes.h"
#include "util/size.h"
#include "util/trace.h"

#define WORDS_MAX 64

static void check_error(int err, const struct error *error)
{
	FUZZ_CHECK(err <= 0 || err == OPTIONS_HELP);
	if (err < 0)
		FUZZ_CHECK(error->kind == ERROR_USAGE && *error->text);
}

/* A word as each kind of number; what came of it is in its limits, and can be shown. */
static void parse_numbers(const char *word)
{
	char text[SIZE_TEXT_MAX];
	struct disk_rate rate;
	struct error error = {0};
	uint64_t value;
	unsigned topics;
	int err;

	if (!size_parse(word, &value))
		FUZZ_CHECK(strlen(size_format(value, text)) < SIZE_TEXT_MAX);
	if (!number_parse(word, 3, 1000, &value))
		FUZZ_CHECK(value >= 3 && value <= 1000);
	seconds_parse(word, &value);
	if (!trace_parse(word, &topics))
		FUZZ_CHECK(topics < TRACE_EXIT << 1);
	err = disk_rate_parse("rate", word, &rate, &error);
	check_error(err, &error);
	if (!err)
		FUZZ_CHECK(rate.count >= 1 && rate.first + rate.count <= LODGE_DISKS_MAX);
}

static void check_options(const struct run_options *options)
{
	FUZZ_CHECK(options->disk_count <= LODGE_DISKS_MAX && options->console_count <= CONSOLE_OPTIONS_MAX);
	FUZZ_CHECK(options->config.cpus >= 1 && options->config.cpus <= LODGE_CPUS_MAX);
	FUZZ_CHECK(options->rated_disks <= options->disk_count);
	FUZZ_CHECK(options->owned_count <= ARRAY_SIZE(options->owned));
}

/* --help: to nowhere, for there is only one text. */
static void print_help(void)
{
	static bool silent;

	if (!silent)
		FUZZ_CHECK(freopen("/dev/null", "w", stdout));
	silent = true;
	options_print(run_option_rows);
}

/* As it is parsed once more, there is no memory for some word of it. */
static void parse_poor(int count, char **words, unsigned allowed)
{
	struct run_options options;
	struct error error = {0};
	int err;

	fuzz_refuse(allowed);
	err = run_options_parse(&options, count, words, &error);
	if (fuzz_refused())
		FUZZ_CHECK(err == -ENOMEM && error.kind == ERROR_VMM && *error.text);
	run_options_free(&options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *line = text, *words[WORDS_MAX + 2] = {(char[]){"run"}};
	struct run_options options;
	struct error error = {0};
	int count = 1, err;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	while (line && *line && count <= WORDS_MAX) {
		char *word = strsep(&line, "\n");

		parse_numbers(word);
		words[count++] = word;
	}
	err = run_options_parse(&options, count, words, &error);
	check_error(err, &error);
	if (!err)
		check_options(&options);
	if (err == OPTIONS_HELP)
		print_help();
	run_options_free(&options);
	parse_poor(count, words, size % 4);
	free(text);
	return 0;
}
