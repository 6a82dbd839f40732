/* The report: a result as one JSON object. docs/exit-status.md lists its fields. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <unistd.h>

#include "lodge.h"

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

/* Registers are for people: in hex, as everywhere else. */
static json_t *hex(uint64_t value)
{
	return json_sprintf("0x%llx", (unsigned long long)value);
}

static json_t *counts(const struct lodge_count *from, unsigned len)
{
	json_t *object = json_object();
	unsigned i;

	for (i = 0; i < len; i++)
		json_object_set_new(object, from[i].name, number(from[i].count));
	return object;
}

static uint64_t ns_to_us(uint64_t ns)
{
	return ns / 1000;
}

static json_t *vcpus(const struct lodge_result *result)
{
	json_t *array = json_array();
	unsigned i;

	for (i = 0; i < result->vcpu_count; i++) {
		const struct lodge_vcpu_stats *vcpu = &result->vcpus[i];
		json_t *object = json_object();

		json_object_set_new(object, "guest_us", number(ns_to_us(vcpu->guest_ns)));
		json_object_set_new(object, "exit_us", number(ns_to_us(vcpu->exit_ns)));
		json_object_set_new(object, "exits", number(vcpu->exits));
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *latency_us(const struct lodge_latency *latency)
{
	json_t *object = json_object();

	json_object_set_new(object, "count", number(latency->count));
	json_object_set_new(object, "p50", number(latency->p50_us));
	json_object_set_new(object, "p90", number(latency->p90_us));
	json_object_set_new(object, "p99", number(latency->p99_us));
	json_object_set_new(object, "p999", number(latency->p999_us));
	json_object_set_new(object, "max", number(latency->max_us));
	return object;
}

static json_t *disks(const struct lodge_result *result)
{
	json_t *array = json_array();
	unsigned i;

	for (i = 0; i < result->disk_count; i++) {
		const struct lodge_disk_stats *disk = &result->disks[i];
		json_t *object = json_object();

		json_object_set_new(object, "reads", number(disk->reads));
		json_object_set_new(object, "writes", number(disk->writes));
		json_object_set_new(object, "flushes", number(disk->flushes));
		json_object_set_new(object, "discards", number(disk->discards));
		json_object_set_new(object, "others", number(disk->others));
		json_object_set_new(object, "errors", number(disk->errors));
		json_object_set_new(object, "bytes_read", number(disk->bytes_read));
		json_object_set_new(object, "bytes_written", number(disk->bytes_written));
		json_object_set_new(object, "latency_us", latency_us(&disk->latency));
		json_object_set_new(object, "throttled_us", number(ns_to_us(disk->throttled_ns)));
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *code_bytes(const struct lodge_registers *registers)
{
	char text[3 * LODGE_CODE_MAX + 1] = "";
	unsigned i;

	for (i = 0; i < registers->code_len; i++)
		snprintf(text + 3 * i, 4, "%02x ", registers->code[i]);
	if (registers->code_len)
		text[3 * registers->code_len - 1] = '\0';
	return json_string(text);
}

static json_t *registers(const struct lodge_registers *from)
{
	const struct {
		const char *name;
		uint64_t value;
	} all[] = {
		/* clang-format off */
		{"rip", from->rip}, {"rflags", from->rflags}, {"rsp", from->rsp}, {"rbp", from->rbp},
		{"rax", from->rax}, {"rbx", from->rbx}, {"rcx", from->rcx}, {"rdx", from->rdx},
		{"rsi", from->rsi}, {"rdi", from->rdi}, {"r8", from->r8}, {"r9", from->r9},
		{"r10", from->r10}, {"r11", from->r11}, {"r12", from->r12}, {"r13", from->r13},
		{"r14", from->r14}, {"r15", from->r15}, {"cr0", from->cr0}, {"cr2", from->cr2},
		{"cr3", from->cr3}, {"cr4", from->cr4}, {"efer", from->efer}, {"cs", from->cs},
		{"ss", from->ss}, {"ds", from->ds}, {"es", from->es},
		/* clang-format on */
	};
	json_t *object = json_object();
	unsigned i;

	json_object_set_new(object, "cpu", number(from->cpu));
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		json_object_set_new(object, all[i].name, hex(all[i].value));
	json_object_set_new(object, "code", code_bytes(from));
	return object;
}

/* The guest prints what bytes it likes; JSON is UTF-8. */
static json_t *console_text(const char *from)
{
	char text[LODGE_CONSOLE_MAX];
	size_t i;

	for (i = 0; i < sizeof(text) - 1 && from[i]; i++) {
		unsigned char c = (unsigned char)from[i];

		text[i] = c >= 0x80 || (c < ' ' && c != '\n' && c != '\t' && c != '\r') ? '?' : (char)c;
	}
	text[i] = '\0';
	return json_string(text);
}

static json_t *build(const struct lodge_result *result)
{
	json_t *object = json_object();

	json_object_set_new(object, "outcome", json_string(lodge_outcome_name(result->outcome)));
	json_object_set_new(object, "status", number((uint64_t)result->status));
	json_object_set_new(
		object, "guest_code", result->has_guest_code ? number(result->guest_code) : json_null());
	json_object_set_new(object, "message", console_text(result->message));
	json_object_set_new(
		object, "kernel", *result->kernel_format ? json_string(result->kernel_format) : json_null());
	json_object_set_new(object, "run_us", number(result->run_us));
	json_object_set_new(object, "restarts", number(result->restarts));
	json_object_set_new(object, "setup_us", counts(result->setup_us, result->setup_count));
	json_object_set_new(object, "vcpus", vcpus(result));
	json_object_set_new(object, "exits", counts(result->exits, result->exit_count));
	json_object_set_new(object, "devices", counts(result->devices, result->device_count));
	json_object_set_new(object, "disks", disks(result));
	json_object_set_new(object, "console_bytes_in", number(result->console_bytes_in));
	json_object_set_new(object, "console_bytes_out", number(result->console_bytes_out));
	json_object_set_new(object, "peak_rss_bytes", number(result->peak_rss));
	if (result->has_registers)
		json_object_set_new(object, "registers", registers(&result->registers));
	json_object_set_new(object, "console_tail", console_text(result->console_tail));
	return object;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t count = write(fd, text, len);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		text += count;
		len -= (size_t)count;
	}
	return 0;
}

int lodge_report_write(const struct lodge_result *result, int fd)
{
	json_t *object = build(result);
	char *text = json_dumps(object, JSON_INDENT(2));
	int err = -ENOMEM;

	json_decref(object);
	if (!text)
		return err;
	err = write_all(fd, text, strlen(text));
	if (!err)
		err = write_all(fd, "\n", 1);
	free(text);
	return err;
}
