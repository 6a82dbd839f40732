/* lodge set: changes what a running guest may take of the host. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/guest_call.h"
#include "cli/limits.h"
#include "util/bytes.h"

static const struct limit *const limits[] = {&cpu_share_limit, &cpu_max_limit, &memory_max_limit};

/* Puts one setting into the request that sets the limits, or for a disk's rate, into an array of its own requests. */
static int parse_setting(
	const char *setting, json_t *limits_request, json_t *rate_requests, struct error *error)
{
	size_t len = strcspn(setting, "=");
	const char *value = setting + len + 1;
	struct disk_rate rate;
	json_t *request;
	uint64_t limit;
	unsigned i;
	int err;

	for (i = 0; setting[len] && i < ARRAY_SIZE(limits); i++) {
		if (strncmp(setting, limits[i]->name, len) != 0 || limits[i]->name[len])
			continue;
		err = limit_parse(limits[i], limits[i]->name, value, &limit, error);
		if (!err)
			json_object_set_new(
				limits_request, limits[i]->member, json_integer((json_int_t)limit));
		return err;
	}
	if (strncmp(setting, "disk-rate=", len + 1) != 0)
		return error_set(error, ERROR_USAGE, -EINVAL,
			"'%s': not one of cpu-share=N, cpu-max=PERCENT, memory-max=SIZE, "
			"disk-rate=[DISK:]bytes=SIZE[,requests=N]",
			setting);
	err = disk_rate_parse("disk-rate", value, &rate, error);
	if (err)
		return err;
	request = json_pack("{s:s, s:I, s:I}", "command", "set-disk-rate", "bytes_per_s",
		(json_int_t)rate.rate.bytes_per_s, "requests_per_s", (json_int_t)rate.rate.requests_per_s);
	if (rate.count == 1)
		json_object_set_new(request, "disk", json_integer(rate.first));
	json_array_append_new(rate_requests, request);
	return 0;
}

static int send_all(
	const char *name, json_t *limits_request, const json_t *rate_requests, struct lodge_error *error)
{
	struct lodge_client *client;
	int err = lodge_client_new(name, &client, error);
	size_t i;

	if (err)
		return err;
	/* Without a limit it is just {"command": "set"}. */
	if (json_object_size(limits_request) > 1)
		err = guest_ask(client, json_incref(limits_request), NULL, error);
	for (i = 0; !err && i < json_array_size(rate_requests); i++)
		err = guest_ask(client, json_incref(json_array_get(rate_requests, i)), NULL, error);
	lodge_client_free(client);
	return err;
}

static int run_set(const struct command *command, int argc, char **argv)
{
	json_t *limits_request, *rate_requests;
	struct lodge_error failure;
	struct error error;
	int operand, status, i, err = 0;

	if (!command_parse(command, argc, argv, NULL, &operand, &status))
		return status;
	limits_request = guest_request("set");
	rate_requests = json_array();
	for (i = operand + 1; !err && i < argc; i++)
		err = parse_setting(argv[i], limits_request, rate_requests, &error);
	if (err) {
		print_error(command->name, error.text);
		status = error.kind;
	} else if (send_all(argv[operand], limits_request, rate_requests, &failure)) {
		print_error(command->name, failure.text);
		status = failure.status;
	}
	json_decref(limits_request);
	json_decref(rate_requests);
	return status;
}

const struct command set_command = {
	.name = "set",
	.operands = "NAME KEY=VALUE...",
	.kind = OPERAND_GUEST,
	.rest = OPERAND_SETTING,
	.operands_min = 2,
	.operands_max = -1,
	.help = "change what a running guest may take: CPU time, memory, disk rates",
	.about =
		"Changes what a running guest may take of its host:\n\n"
		"  cpu-share=N          its share of CPUs that others want too, 1 to 10000; 100 is everybody's\n"
		"  cpu-max=PERCENT      of one CPU, such as 50% or 250%\n"
		"  memory-max=SIZE      its memory, lodge's own and the page cache included\n"
		"  disk-rate=[DISK:]bytes=SIZE[,requests=N]\n"
		"                       what all disks, or only disk DISK (0, 1...), may do a second\n\n"
		"The value none lifts a limit. All but the disks' rates need cgroup v2; see lodge(1).\n",
	.rows = no_options,
	.run = run_set,
};
