/*
 * The control socket from both its ends: the input is what a client sends, in front of a guest that answers as the input
 * says; and what a client gets back is what the guest's process says in full.
 */
#include "fuzz.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "control/cgroup.h"
#include "control/protocol.h"
#include "lodge_control.h"
#include "util/bytes.h"

/* What lodge.h does here, in the library's stead. */
static struct {
	int err; /* what calls end with */
	struct fuzz_input console;
} vm;

static int verdict(void)
{
	return vm.err;
}

int lodge_vm_stats(struct lodge_vm *unused, struct lodge_stats *ret_stats)
{
	(void)unused;
	if (!vm.err)
		*ret_stats =
			(struct lodge_stats){.uptime_ns = UINT64_MAX, .paused_ns = 1, .memory = INT64_MAX};
	return verdict();
}

int lodge_vm_pause(struct lodge_vm *unused)
{
	(void)unused;
	return verdict();
}

int lodge_vm_resume(struct lodge_vm *unused)
{
	(void)unused;
	return verdict();
}

int lodge_vm_press_power(struct lodge_vm *unused)
{
	(void)unused;
	return verdict();
}

int lodge_vm_reset(struct lodge_vm *unused)
{
	(void)unused;
	return verdict();
}

int lodge_vm_nmi(struct lodge_vm *unused)
{
	(void)unused;
	return verdict();
}

void lodge_vm_console_resize(struct lodge_vm *unused, unsigned columns, unsigned rows)
{
	(void)unused;
	FUZZ_CHECK(columns >= 1 && columns <= 9999 && rows >= 1 && rows <= 9999);
}

size_t lodge_vm_console_copy(struct lodge_vm *unused, void *to, size_t len)
{
	size_t count = MIN(len, vm.console.left);

	(void)unused;
	FUZZ_CHECK(len <= LODGE_CONSOLE_KEPT);
	memcpy(to, vm.console.at + vm.console.left - count, count); /* the latest */
	return count;
}

int lodge_vm_set_disk_rate(struct lodge_vm *unused, unsigned disk, const struct lodge_disk_rate *rate)
{
	(void)unused;
	FUZZ_CHECK(rate->bytes_per_s <= INT64_MAX && rate->requests_per_s <= INT64_MAX);
	return disk < 2 ? verdict() : -EINVAL;
}

static void announce(void *ctx, json_t *event)
{
	(void)ctx;
	FUZZ_CHECK(json_is_string(json_object_get(event, "event")));
	json_decref(event);
}

static void stop_in(void *ctx, uint64_t ms)
{
	(void)ctx;
	FUZZ_CHECK(ms <= 86400000);
}

/* docs/control.md: each request gets one line, which says whether it went well. */
static void check_reply(json_t *reply)
{
	char *line = json_dumps(reply, JSON_COMPACT | JSON_ENCODE_ANY);
	const json_t *ok = json_object_get(reply, "ok");

	FUZZ_CHECK(reply && json_is_boolean(ok));
	FUZZ_CHECK(json_is_true(ok) == json_is_object(json_object_get(reply, "result")));
	FUZZ_CHECK(json_is_true(ok) != json_is_string(json_object_get(reply, "error")));
	FUZZ_CHECK(line && !strchr(line, '\n') && strlen(line) < LODGE_REPLY_MAX);
	free(line);
}

static void answer_all(struct protocol *protocol, const char *text, size_t len)
{
	while (len) {
		const char *newline = memchr(text, '\n', len);
		size_t part = newline ? (size_t)(newline - text) : len;
		bool subscribed = false;
		json_t *reply = protocol_answer(protocol, text, part, &subscribed);

		if (reply)
			check_reply(reply);
		else
			FUZZ_CHECK(fuzz_refused()); /* the client is hung up on */
		json_decref(reply);
		FUZZ_CHECK(protocol->columns <= 9999 && protocol->rows <= 9999);
		part += newline != NULL;
		text += part;
		len -= part;
	}
}

/* What subscribers are told in the end; the message may hold what the guest wrote. */
static void end(const uint8_t *data, size_t size)
{
	static struct lodge_result result;
	json_t *event;

	result.outcome = (enum lodge_outcome)(size % (LODGE_STOPPED + 1));
	memset(result.message, 0, sizeof(result.message));
	memcpy(result.message, data, MIN(size, sizeof(result.message) - 1));
	event = protocol_exit_event(&result);
	FUZZ_CHECK(json_is_string(json_object_get(event, "outcome")));
	announce(NULL, event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int errors[] = {0, -ESRCH, -ENOMEM};
	static struct cgroup cgroup;
	static const struct lodge_disk disks[2];
	struct lodge_config config;
	struct protocol protocol = {
		.name = "fuzz",
		.config = &config,
		.cgroup = &cgroup,
		.announce = announce,
		.stop_in = stop_in,
	};

	if (size > LODGE_LINE_MAX)
		return 0;
	json_object_seed(1);
	lodge_config_init(&config);
	config.disks = disks;
	config.disk_count = ARRAY_SIZE(disks);
	cgroup_init(&cgroup, "fuzz", -1);
	cgroup.mountinfo = "there is none";
	for (unsigned i = 0; i < ARRAY_SIZE(errors); i++) {
		vm.err = errors[i];
		if (vm.err == -ENOMEM)
			fuzz_refuse(size % 3); /* lodge's own memory ends too */
		vm.console = (struct fuzz_input){.at = data, .left = size};
		answer_all(&protocol, (const char *)data, size);
	}
	fuzz_refused();
	end(data, size);
	cgroup_fini(&cgroup);
	return 0;
}
