/* The report: a result as one JSON object. docs/exit-status.md lists its fields. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <unistd.h>

#include "control/json.h"
#include "lodge.h"

/* Registers are for people: in hex, as everywhere else. */
static json_t *hex(uint64_t value)
{
	return json_sprintf("0x%llx", (unsigned long long)value);
}

static json_t *code_bytes(const struct lodge_registers *registers)
{
	char text[3 * LODGE_CODE_MAX + 1] = "";
	unsigned i;

	for (i = 0; i < registers->code_len; i++)
		snprintf(text + 3UL * i, 4, "%02x ", registers->code[i]);
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

	json_put(&object, "cpu", json_number(from->cpu));
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		json_put(&object, all[i].name, hex(all[i].value));
	json_put(&object, "code", code_bytes(from));
	return object;
}

/* The guest prints what bytes it likes; JSON is UTF-8. */
static json_t *console_text(const char *from)
{
	char text[LODGE_CONSOLE_MAX];
	size_t i;

	for (i = 0; i < sizeof(text) - 1 && from[i]; i++) {
		unsigned char c = (unsigned char)from[i];

		text[i] = (char)(c >= 0x80 || (c < ' ' && c != '\n' && c != '\t' && c != '\r') ? '?' : c);
	}
	text[i] = '\0';
	return json_string(text);
}

static json_t *names(const char *const *list, unsigned count)
{
	json_t *array = json_array();
	unsigned i;

	for (i = 0; i < count; i++)
		json_add(&array, json_string(list[i]));
	return array;
}

static json_t *build(const struct lodge_result *result)
{
	json_t *object = json_object();

	json_put(&object, "outcome", json_string(lodge_outcome_name(result->outcome)));
	json_put(&object, "status", json_number((uint64_t)result->status));
	json_put(&object, "guest_code",
		result->has_guest_code ? json_number(result->guest_code) : json_null());
	json_put(&object, "message", console_text(result->message));
	json_put(
		&object, "kernel", *result->kernel_format ? json_string(result->kernel_format) : json_null());
	json_put(&object, "firmware", *result->firmware ? console_text(result->firmware) : json_null());
	json_put(
		&object, "firmware_us", result->firmware_us ? json_number(result->firmware_us) : json_null());
	json_put(&object, "run_us", json_number(result->run_us));
	json_put(&object, "restarts", json_number(result->restarts));
	json_put(&object, "setup_us", json_counts(result->setup_us, result->setup_count));
	json_put(&object, "vcpus", json_vcpus(result->vcpus, result->vcpu_count));
	json_put(&object, "exits", json_counts(result->exits, result->exit_count));
	json_put(&object, "devices", json_counts(result->devices, result->device_count));
	json_put(&object, "disks", json_disks(result->disks, result->disk_count));
	json_put(&object, "console_bytes_in", json_number(result->console_bytes_in));
	json_put(&object, "console_bytes_out", json_number(result->console_bytes_out));
	json_put(&object, "sandbox", names(result->sandbox, result->sandbox_count));
	json_put(&object, "peak_rss_bytes", json_number(result->peak_rss));
	if (result->has_registers)
		json_put(&object, "registers", registers(&result->registers));
	json_put(&object, "console_tail", console_text(result->console_tail));
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
	json_t *object;
	char *text;
	int err = -ENOMEM;

	json_seed();
	object = build(result);
	text = json_dumps(object, JSON_INDENT(2));
	json_decref(object);
	if (!text)
		return err;
	err = write_all(fd, text, strlen(text));
	if (!err)
		err = write_all(fd, "\n", 1);
	free(text);
	return err;
}
