#include "lib/seccomp_program.h"

#include <check.h>
#include <stddef.h>
#include <string.h>

struct reader {
	const struct sock_fprog *program;
	const struct seccomp_data *call;
	bool any_arguments;
	uint32_t action;
};

/* From instruction `at` on, where the accumulator holds `value`, or, if it is not known, whatever an argument is. */
static bool may(const struct reader *reader, unsigned at, uint32_t value, bool known)
{
	for (;;) {
		const struct sock_filter *code = &reader->program->filter[at++];
		bool taken = false;

		ck_assert_uint_le(at, reader->program->len);
		switch (code->code) {
		case BPF_RET | BPF_K:
			return code->k == reader->action;
		case BPF_LD | BPF_W | BPF_ABS:
			ck_assert_uint_le(code->k, sizeof(*reader->call) - sizeof(value));
			memcpy(&value, (const char *)reader->call + code->k, sizeof(value));
			known = !reader->any_arguments || code->k < offsetof(struct seccomp_data, args);
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			value &= code->k;
			continue;
		case BPF_JMP | BPF_JA:
			at += code->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			taken = value == code->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			taken = value >= code->k;
			break;
		default:
			ck_abort_msg("instruction %u: %x", at - 1, code->code);
		}
		if (!known)
			return may(reader, at + code->jt, value, false) ||
			       may(reader, at + code->jf, value, false);
		at += taken ? code->jt : code->jf;
	}
}

bool seccomp_program_may(const struct sock_fprog *program, const struct seccomp_data *call,
	bool any_arguments, uint32_t action)
{
	const struct reader reader = {program, call, any_arguments, action};

	ck_assert_uint_le(program->len, BPF_MAXINSNS);
	return may(&reader, 0, 0, true);
}
