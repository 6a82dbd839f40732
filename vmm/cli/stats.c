/* lodge stats: what guests have used, once or again and again. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/guest_call.h"
#include "util/bytes.h"
#include "util/size.h"

struct stats_options {
	bool json, watch;
	uint64_t every_ms;
};

static int set_every(void *target, const char *value, struct error *error)
{
	struct stats_options *options = target;

	if (seconds_parse(value, &options->every_ms) || !options->every_ms || options->every_ms > 3600000)
		return error_set(error, ERROR_USAGE, -EINVAL,
			"--every: '%s': not a time in seconds, such as 5 or 0.5, up to an hour", value);
	return 0;
}

static const struct option_row rows[] = {
	{"json", 0, NULL, "as JSON, a line a guest: docs/control.md has the fields",
		.at = OPTION_FLAG(struct stats_options, json)},
	{"watch", 'w', NULL, "again and again, until the guest ends",
		.at = OPTION_FLAG(struct stats_options, watch)},
	{"every", 0, "SECONDS", "how often, with --watch; default 1", .set = set_every},
	{0},
};

static double seconds_of(const json_t *object, const char *name)
{
	return (double)guest_number(object, name) / 1e6;
}

static void print_memory(const json_t *stats)
{
	char all[SIZE_TEXT_MAX], resident[SIZE_TEXT_MAX], shared[SIZE_TEXT_MAX], vmm[SIZE_TEXT_MAX];

	printf("  memory    %s, of it resident %s, shared %s; lodge itself %s\n",
		size_format(guest_number(stats, "memory"), all),
		size_format(guest_number(stats, "memory_resident"), resident),
		size_format(guest_number(stats, "memory_shared"), shared),
		size_format(guest_number(stats, "vmm_resident"), vmm));
}

static void print_vcpus(const json_t *vcpus)
{
	size_t i;

	for (i = 0; i < json_array_size(vcpus); i++) {
		const json_t *vcpu = json_array_get(vcpus, i);

		printf("  CPU %-5zu in the guest %.3f s, in exits %.3f s (%" PRIu64 " exits)\n", i,
			seconds_of(vcpu, "guest_us"), seconds_of(vcpu, "exit_us"),
			guest_number(vcpu, "exits"));
	}
}

static void print_disks(const json_t *disks)
{
	size_t i;

	for (i = 0; i < json_array_size(disks); i++) {
		const json_t *disk = json_array_get(disks, i), *latency = json_object_get(disk, "latency_us");
		char in[SIZE_TEXT_MAX], out[SIZE_TEXT_MAX];

		printf("  disk %-4zu %" PRIu64 " reads (%s), %" PRIu64 " writes (%s), %" PRIu64
		       " flushes, %" PRIu64 " errors\n",
			i, guest_number(disk, "reads"), size_format(guest_number(disk, "bytes_read"), in),
			guest_number(disk, "writes"), size_format(guest_number(disk, "bytes_written"), out),
			guest_number(disk, "flushes"), guest_number(disk, "errors"));
		printf("            latency in us: 50%% %" PRIu64 ", 90%% %" PRIu64 ", 99%% %" PRIu64
		       ", 99.9%% %" PRIu64 ", most %" PRIu64 "; held back by its rate for %.3f s\n",
			guest_number(latency, "p50"), guest_number(latency, "p90"),
			guest_number(latency, "p99"), guest_number(latency, "p999"),
			guest_number(latency, "max"), seconds_of(disk, "throttled_us"));
	}
}

/* Only those that are set. */
static void print_limits(const json_t *limits)
{
	char max[SIZE_TEXT_MAX], now[SIZE_TEXT_MAX];

	if (guest_number(limits, "cpu_share"))
		printf("  limit     CPU share %" PRIu64 "\n", guest_number(limits, "cpu_share"));
	if (guest_number(limits, "cpu_max"))
		printf("  limit     CPU %" PRIu64 "%%; held back by it for %.3f s\n",
			guest_number(limits, "cpu_max"),
			(double)guest_number(limits, "cpu_throttled_us") / 1e6);
	if (guest_number(limits, "memory_max"))
		printf("  limit     memory %s, of it used %s\n",
			size_format(guest_number(limits, "memory_max"), max),
			size_format(guest_number(limits, "memory_current"), now));
}

static void print_exits(json_t *exits)
{
	void *at;

	printf("  exits    ");
	for (at = json_object_iter(exits); at; at = json_object_iter_next(exits, at))
		printf(" %s %" JSON_INTEGER_FORMAT, json_object_iter_key(at),
			json_integer_value(json_object_iter_value(at)));
	printf("\n");
}

static void print_stats(const char *name, const json_t *stats)
{
	printf("%s: %s, up %.3f s, paused for %.3f s of it\n", name, guest_string(stats, "state"),
		seconds_of(stats, "uptime_us"), seconds_of(stats, "paused_us"));
	print_vcpus(json_object_get(stats, "vcpus"));
	print_memory(stats);
	print_disks(json_object_get(stats, "disks"));
	print_limits(json_object_get(stats, "limits"));
	print_exits(json_object_get(stats, "exits"));
}

static int show(const char *name, bool as_json)
{
	struct lodge_error error;
	json_t *stats;
	int err = guest_call(name, guest_request("stats"), &stats, &error);

	if (err) {
		print_error("stats", error.text);
		return error.status;
	}
	if (as_json) {
		json_object_set_new(stats, "name", json_string(name));
		json_dumpf(stats, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		print_stats(name, stats);
	}
	json_decref(stats);
	return 0;
}

static int show_all(char **names, int count, bool as_json)
{
	int status = 0, i;

	for (i = 0; i < count; i++) {
		int one = show(names[i], as_json);

		status = one ? one : status;
	}
	return status;
}

static int run_stats(const struct command *command, int argc, char **argv)
{
	struct stats_options options = {.every_ms = 1000};
	int operand, status;

	if (!command_parse(command, argc, argv, &options, &operand, &status))
		return status;
	for (;;) {
		const struct timespec pause = {
			.tv_sec = (time_t)(options.every_ms / 1000),
			.tv_nsec = (long)(options.every_ms % 1000 * 1000000),
		};

		/* A terminal shows one picture that changes; anything else gets one after the other. */
		if (options.watch && !options.json && isatty(STDOUT_FILENO))
			printf("\033[H\033[2J");
		status = show_all(argv + operand, argc - operand, options.json);
		if (!options.watch || status || fflush(stdout) || ferror(stdout))
			return status;
		nanosleep(&pause, NULL);
	}
}

const struct command stats_command = {
	.name = "stats",
	.operands = "NAME...",
	.kind = OPERAND_GUEST,
	.rest = OPERAND_GUEST,
	.operands_min = 1,
	.operands_max = -1,
	.help = "what guests have used: CPU time, exits, memory, disks",
	.about = "Tells what guests have used so far: CPU time, exits, memory, disk requests.\n",
	.rows = rows,
	.run = run_stats,
};
