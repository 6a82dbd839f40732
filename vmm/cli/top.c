/* lodge top: all guests side by side, again and again. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/top_screen.h"
#include "util/bytes.h"
#include "util/clock.h"
#include "util/size.h"

struct top_options {
	uint64_t every_ms;
	uint64_t rounds; /* 0: no end */
	enum top_key key;
	bool plain;
};

static int set_every(void *target, const char *value, struct error *error)
{
	struct top_options *options = target;

	if (seconds_parse(value, &options->every_ms) || !options->every_ms || options->every_ms > 3600000)
		return error_set(error, ERROR_USAGE, -EINVAL,
			"--every: '%s': not a time in seconds, such as 5 or 0.5, up to an hour", value);
	return 0;
}

static int set_rounds(void *target, const char *value, struct error *error)
{
	struct top_options *options = target;

	if (number_parse(value, 1, UINT32_MAX, &options->rounds))
		return error_set(
			error, ERROR_USAGE, -EINVAL, "--rounds: '%s': not a number from 1 on", value);
	options->plain = true;
	return 0;
}

static int set_sort(void *target, const char *value, struct error *error)
{
	static const char *const names[] = {[TOP_BY_CPU] = "cpu",
		[TOP_BY_MEMORY] = "memory",
		[TOP_BY_DISK] = "disk",
		[TOP_BY_NAME] = "name"};
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(value, names[i])) {
			((struct top_options *)target)->key = i;
			return 0;
		}
	}
	return error_set(
		error, ERROR_USAGE, -EINVAL, "--sort: '%s': not one of cpu, memory, disk, name", value);
}

static const struct option_row rows[] = {
	{"every", 'e', "SECONDS", "how often; default 1", .set = set_every},
	{"sort", 's', "cpu|memory|disk|name", "what comes first; default cpu", .set = set_sort},
	{"plain", 'b', NULL, "one table after the other, as without a terminal",
		.at = OPTION_FLAG(struct top_options, plain)},
	{"rounds", 'n', "N", "so many tables, and plain; default 1 without a terminal", .set = set_rounds},
	{0},
};

static void print_table(const struct top_guests *guests)
{
	unsigned width = top_name_width(guests->list, guests->count, UINT32_MAX), i;
	char line[TOP_LINE_MAX];

	top_print_sum(guests->list, guests->count, line);
	puts(line);
	top_print_heads(width, line);
	puts(line);
	for (i = 0; i < guests->count; i++) {
		top_print_guest(&guests->list[i], width, line);
		puts(line);
	}
}

static void sleep_until(uint64_t ns)
{
	const struct timespec time = {
		.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
		;
}

static int print_rounds(struct top_guests *guests, const struct top_options *options)
{
	uint64_t next = clock_ns(), round;
	struct lodge_error error;

	for (round = 0; !options->rounds || round < options->rounds; round++) {
		if (round) {
			next += options->every_ms * 1000000;
			sleep_until(next);
			putchar('\n');
		}
		if (top_guests_ask(guests, &error)) {
			print_error("top", error.text);
			return error.status;
		}
		while (top_guests_awaited(guests) && !top_guests_wait(guests, NULL, 0, 100))
			;
		top_guests_wait(guests, NULL, 0, 0);
		top_sort(guests->list, guests->count, options->key);
		print_table(guests);
		if (fflush(stdout) || ferror(stdout))
			break;
	}
	return 0;
}

static int run_top(const struct command *command, int argc, char **argv)
{
	struct top_options options = {.every_ms = 1000};
	bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	struct top_guests guests = {0};
	int operand, status;

	if (!command_parse(command, argc, argv, &options, &operand, &status))
		return status;
	if (!terminal && !options.rounds)
		options.rounds = 1;
	if (terminal && !options.plain)
		status = top_screen_run(&guests, options.key, options.every_ms);
	else
		status = print_rounds(&guests, &options);
	top_guests_fini(&guests);
	return status;
}

const struct command top_command = {
	.name = "top",
	.operands = "",
	.help = "all guests side by side: CPU, memory, exits, disks",
	.about =
		"Shows all guests of this user, and each second what they use. Without a terminal it prints a table.\n"
		"The rates are those since the last look; in the first one, since the guest's start.\n",
	.after =
		"On a terminal: q quits, up and down select a guest, s, m, d and n sort by CPU, memory, disk and\n"
		"name, a attaches to the selected guest, p pauses or resumes it, h hides or shows the help line.\n",
	.rows = rows,
	.run = run_top,
};
