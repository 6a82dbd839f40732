#include "control/protocol.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/cgroup.h"
#include "control/json.h"
#include "lodge_control.h"
#include "util/bytes.h"
#include "util/error.h"

#define GRACE_DEFAULT_MS 10000
#define GRACE_MAX_MS     86400000
#define CONSOLE_SIDE_MAX 9999

/* What a command gets: its parameters are members of the request. */
struct call {
	struct protocol *protocol;
	json_t *request;
	json_t *result; /* an object to be filled */
	bool subscribed;
	struct error error;
};

/* Parameters. A missing one is left as it is. */

static int bad_parameter(struct call *call, const char *name, const char *want)
{
	return error_set(&call->error, ERROR_USAGE, -EINVAL, "'%s' is to be %s", name, want);
}

static int get_number(struct call *call, const char *name, uint64_t max, uint64_t *value)
{
	const json_t *member = json_object_get(call->request, name);

	if (!member)
		return 0;
	if (!json_is_integer(member) || json_integer_value(member) < 0 ||
		(uint64_t)json_integer_value(member) > max)
		return bad_parameter(call, name, "a whole number, not negative and not too large");
	*value = (uint64_t)json_integer_value(member);
	return 0;
}

static int of_the_vm(struct call *call, int err)
{
	if (err == -ESRCH)
		return error_set(&call->error, ERROR_USAGE, err, "the guest does not run, or not yet");
	if (err)
		return error_set(&call->error, ERROR_VMM, err, "%s", strerror(-err));
	return 0;
}

static void announce(struct protocol *protocol, const char *name)
{
	protocol->announce(protocol->ctx, protocol_event(name));
}

static void set(struct call *call, const char *name, json_t *value)
{
	json_put(&call->result, name, value);
}

/* The commands. */

static const char *state(const struct protocol *protocol, const struct lodge_stats *stats)
{
	if (protocol->stopping)
		return "stopping";
	return stats->paused ? "paused" : "running";
}

static int do_status(struct call *call)
{
	const struct protocol *protocol = call->protocol;
	const struct lodge_config *config = protocol->config;
	struct lodge_stats stats;
	int err = of_the_vm(call, lodge_vm_stats(protocol->vm, &stats));

	if (err)
		return err;
	set(call, "version", json_string(lodge_version()));
	set(call, "protocol", json_integer(LODGE_PROTOCOL));
	set(call, "name", json_string(protocol->name));
	set(call, "state", json_string(state(protocol, &stats)));
	set(call, "kernel", json_text(config->kernel ? config->kernel : "lodger"));
	set(call, "cpus", json_integer(config->cpus));
	set(call, "memory", json_number(config->memory));
	set(call, "disks", json_integer(config->disk_count));
	set(call, "uptime_us", json_us(stats.uptime_ns));
	set(call, "console_columns", json_integer(protocol->columns));
	set(call, "console_rows", json_integer(protocol->rows));
	return 0;
}

/* What is set, and what the cgroup counts, if there is one. */
static json_t *json_limits(struct cgroup *cgroup)
{
	struct cgroup_figures figures;
	json_t *object = json_object();

	cgroup_read(cgroup, &figures);
	json_put(&object, "cpu_share", json_integer(figures.limits.cpu_share));
	json_put(&object, "cpu_max", json_integer(figures.limits.cpu_max_percent));
	json_put(&object, "memory_max", json_number(figures.limits.memory_max));
	if (figures.present) {
		json_put(&object, "cpu_throttled_us", json_number(figures.throttled_us));
		json_put(&object, "memory_current", json_number(figures.memory));
	}
	return object;
}

static int do_stats(struct call *call)
{
	struct lodge_stats *stats = malloc(sizeof(*stats));
	int err;

	if (!stats)
		return of_the_vm(call, -ENOMEM);
	err = of_the_vm(call, lodge_vm_stats(call->protocol->vm, stats));
	if (!err) {
		set(call, "state", json_string(state(call->protocol, stats)));
		set(call, "uptime_us", json_us(stats->uptime_ns));
		set(call, "paused_us", json_us(stats->paused_ns));
		set(call, "vcpus", json_vcpus(stats->vcpus, stats->vcpu_count));
		set(call, "exits", json_counts(stats->exits, stats->exit_count));
		set(call, "devices", json_counts(stats->devices, stats->device_count));
		set(call, "disks", json_disks(stats->disks, stats->disk_count));
		set(call, "memory", json_number(stats->memory));
		set(call, "memory_resident", json_number(stats->memory_resident));
		set(call, "memory_shared", json_number(stats->memory_shared));
		set(call, "vmm_resident", json_number(stats->vmm_resident));
		set(call, "limits", json_limits(call->protocol->cgroup));
		set(call, "console_bytes_in", json_number(stats->console_bytes_in));
		set(call, "console_bytes_out", json_number(stats->console_bytes_out));
	}
	free(stats);
	return err;
}

static int do_pause(struct call *call)
{
	int err = of_the_vm(call, lodge_vm_pause(call->protocol->vm));

	if (!err && !call->protocol->paused) {
		call->protocol->paused = true;
		announce(call->protocol, "paused");
	}
	return err;
}

static int do_resume(struct call *call)
{
	int err = of_the_vm(call, lodge_vm_resume(call->protocol->vm));

	if (!err && call->protocol->paused) {
		call->protocol->paused = false;
		announce(call->protocol, "resumed");
	}
	return err;
}

/* The power button first, unless the guest is to have no time; who is paused could not hear it. */
static int do_stop(struct call *call)
{
	struct protocol *protocol = call->protocol;
	uint64_t grace_ms = GRACE_DEFAULT_MS;
	int err = get_number(call, "grace_ms", GRACE_MAX_MS, &grace_ms);

	if (err)
		return err;
	if (grace_ms) {
		err = do_resume(call);
		if (!err)
			err = of_the_vm(call, lodge_vm_press_power(protocol->vm));
		if (err)
			return err;
	}
	protocol->stopping = true;
	protocol->stop_in(protocol->ctx, grace_ms);
	announce(protocol, "stopping");
	return 0;
}

static int do_power(struct call *call)
{
	return of_the_vm(call, lodge_vm_press_power(call->protocol->vm));
}

static int do_reset(struct call *call)
{
	int err = of_the_vm(call, lodge_vm_reset(call->protocol->vm));

	if (!err) {
		call->protocol->paused = false;
		announce(call->protocol, "reset");
	}
	return err;
}

static int do_nmi(struct call *call)
{
	return of_the_vm(call, lodge_vm_nmi(call->protocol->vm));
}

static int do_console_size(struct call *call)
{
	struct protocol *protocol = call->protocol;
	uint64_t columns = 0, rows = 0;
	int err = get_number(call, "columns", CONSOLE_SIDE_MAX, &columns);

	if (!err)
		err = get_number(call, "rows", CONSOLE_SIDE_MAX, &rows);
	if (!err && (!columns || !rows))
		err = bad_parameter(call, columns ? "rows" : "columns", "a number from 1 to 9999");
	if (err)
		return err;
	protocol->columns = (unsigned)columns;
	protocol->rows = (unsigned)rows;
	lodge_vm_console_resize(protocol->vm, protocol->columns, protocol->rows);
	return 0;
}

/* The guest prints what bytes it likes, and JSON has text: each byte becomes the character of its number. */
static json_t *bytes_as_text(const uint8_t *bytes, size_t len)
{
	char *text = malloc(2 * len + 1), *to = text;
	json_t *string;
	size_t i;

	if (!text)
		return NULL;
	for (i = 0; i < len; i++) {
		if (bytes[i] < 0x80) {
			*to++ = (char)bytes[i];
		} else {
			*to++ = (char)(0xc0 | bytes[i] >> 6);
			*to++ = (char)(0x80 | (bytes[i] & 0x3f));
		}
	}
	string = json_stringn(text, (size_t)(to - text));
	free(text);
	return string;
}

static int do_logs(struct call *call)
{
	uint64_t max = LODGE_CONSOLE_KEPT;
	int err = get_number(call, "bytes", UINT32_MAX, &max);
	uint8_t *bytes;
	size_t len;

	if (err)
		return err;
	bytes = malloc(LODGE_CONSOLE_KEPT);
	if (!bytes)
		return of_the_vm(call, -ENOMEM);
	len = lodge_vm_console_copy(call->protocol->vm, bytes, MIN(max, (uint64_t)LODGE_CONSOLE_KEPT));
	set(call, "text", bytes_as_text(bytes, len));
	free(bytes);
	return 0;
}

static int do_events(struct call *call)
{
	call->subscribed = true;
	return 0;
}

/* What is not named stays as it is. */
static int do_set(struct call *call)
{
	struct cgroup_figures figures;
	uint64_t share, max, memory;
	struct lodge_limits limits;
	int err;

	cgroup_read(call->protocol->cgroup, &figures);
	share = figures.limits.cpu_share;
	max = figures.limits.cpu_max_percent;
	memory = figures.limits.memory_max;
	err = get_number(call, "cpu_share", LODGE_CPU_SHARE_MAX, &share);
	if (!err)
		err = get_number(call, "cpu_max", LODGE_CPU_MAX_MAX, &max);
	if (!err)
		err = get_number(call, "memory_max", INT64_MAX, &memory);
	if (err)
		return err;
	limits = (struct lodge_limits){
		.cpu_share = (unsigned)share, .cpu_max_percent = (unsigned)max, .memory_max = memory};
	err = cgroup_check(&limits, call->protocol->config, &call->error);
	return err ? err : cgroup_limit(call->protocol->cgroup, &limits, &call->error);
}

/* Of one disk, or where none is named, of all. */
static int set_disk_rate(struct call *call)
{
	struct lodge_disk_rate rate = {0};
	uint64_t first = 0, last;
	bool all = !json_object_get(call->request, "disk");
	int err = get_number(call, "disk", LODGE_DISKS_MAX, &first);

	if (!err)
		err = get_number(call, "bytes_per_s", INT64_MAX, &rate.bytes_per_s);
	if (!err)
		err = get_number(call, "requests_per_s", INT64_MAX, &rate.requests_per_s);
	if (err)
		return err;
	last = all ? MAX(call->protocol->config->disk_count, 1u) - 1 : first;
	for (; !err && first <= last; first++)
		err = lodge_vm_set_disk_rate(call->protocol->vm, (unsigned)first, &rate);
	if (err == -EINVAL)
		return error_set(
			&call->error, ERROR_USAGE, err, "the guest has no disk %u", (unsigned)first - 1);
	return of_the_vm(call, err);
}

static const struct {
	const char *name;
	int (*run)(struct call *call);
} commands[] = {
	{"status", do_status},
	{"stats", do_stats},
	{"pause", do_pause},
	{"resume", do_resume},
	{"stop", do_stop},
	{"power", do_power},
	{"reset", do_reset},
	{"nmi", do_nmi},
	{"console-size", do_console_size},
	{"logs", do_logs},
	{"events", do_events},
	{"set", do_set},
	{"set-disk-rate", set_disk_rate},
};

static int run_command(struct call *call)
{
	const char *name;
	uint64_t version = LODGE_PROTOCOL;
	unsigned i;
	int err;

	if (!json_is_object(call->request))
		return error_set(
			&call->error, ERROR_USAGE, -EINVAL, "a request is one JSON object on one line");
	err = get_number(call, "protocol", UINT32_MAX, &version);
	if (err)
		return err;
	if (version != LODGE_PROTOCOL) {
		return error_set(&call->error, ERROR_USAGE, -EPROTONOSUPPORT,
			"protocol %u is not spoken here; %u is", (unsigned)version, LODGE_PROTOCOL);
	}
	name = json_string_value(json_object_get(call->request, "command"));
	if (!name)
		return error_set(
			&call->error, ERROR_USAGE, -EINVAL, "a request has a \"command\", which is a string");
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(name, commands[i].name))
			return commands[i].run(call);
	}
	return error_set(&call->error, ERROR_USAGE, -ENOSYS, "there is no such command");
}

json_t *protocol_answer(struct protocol *protocol, const char *line, size_t len, bool *ret_subscribed)
{
	struct call call = {.protocol = protocol, .result = json_object()};
	json_t *reply = json_object(), *id;
	json_error_t where;

	call.request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &where);
	id = json_object_get(call.request, "id");
	if (id)
		json_put(&reply, "id", json_incref(id));
	if (!call.request)
		error_set(&call.error, ERROR_USAGE, -EINVAL, "not JSON: %s", where.text);
	else
		run_command(&call);
	json_put(&reply, "ok", json_boolean(!call.error.kind));
	if (call.error.kind) {
		json_put(&reply, "status", json_integer(call.error.kind));
		json_put(&reply, "error", json_text(call.error.text));
	} else {
		json_put(&reply, "result", json_incref(call.result));
	}
	if (call.subscribed)
		*ret_subscribed = true;
	json_decref(call.result);
	json_decref(call.request);
	return reply;
}

json_t *protocol_event(const char *name)
{
	struct timespec now;
	json_t *event = json_object();

	clock_gettime(CLOCK_REALTIME, &now);
	json_put(&event, "event", json_string(name));
	json_put(&event, "time", json_real((double)now.tv_sec + (double)now.tv_nsec / 1e9));
	return event;
}

json_t *protocol_exit_event(const struct lodge_result *result)
{
	json_t *event = protocol_event("exit");

	json_put(&event, "outcome", json_string(lodge_outcome_name(result->outcome)));
	json_put(&event, "status", json_integer(result->status));
	json_put(&event, "message", json_text(result->message));
	return event;
}
