#include "sandbox/program.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#define CALLS 512 /* Linux has no call of that number, or of a higher one */

/* The calls from one number on, up to the next range, which all have the same outcome: its first rule's. */
struct range {
	unsigned from, rule;
};

#define NO_RULE UINT32_MAX

/* The last instruction is put first, so that a jump's targets are there. A place is how many come from there to the end. */
struct builder {
	const struct call_rule *rules;
	unsigned count;
	struct sock_filter *code;
	unsigned len;
	unsigned allowed, refused; /* places that all calls share */
};

static unsigned put(struct builder *builder, unsigned code, uint8_t if_true, uint8_t if_false, uint32_t k)
{
	builder->code[builder->len] = (struct sock_filter){(uint16_t)code, if_true, if_false, k};
	return ++builder->len;
}

static unsigned put_return(struct builder *builder, uint32_t action)
{
	return put(builder, BPF_RET | BPF_K, 0, 0, action);
}

static unsigned put_load(struct builder *builder, size_t offset)
{
	return put(builder, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

/* That place, or one that leads there and that a conditional jump gets to, over one instruction more. */
static unsigned within_reach(struct builder *builder, unsigned place)
{
	unsigned distance = builder->len - place;

	return distance < UINT8_MAX ? place : put(builder, BPF_JMP | BPF_JA, 0, 0, distance);
}

static unsigned put_jump(
	struct builder *builder, unsigned condition, uint32_t k, unsigned if_true, unsigned if_false)
{
	if_true = within_reach(builder, if_true);
	if_false = within_reach(builder, if_false);
	return put(builder, BPF_JMP | BPF_K | condition, (uint8_t)(builder->len - if_true),
		(uint8_t)(builder->len - if_false), k);
}

/* The call's last rule before place `end` of the list; NO_RULE: there is none. */
static unsigned last_rule(const struct call_rule *rules, unsigned call, unsigned end)
{
	while (end-- > 0) {
		if (rules[end].call == call)
			return end;
	}
	return NO_RULE;
}

/* At most five instructions for each rule of the call. */
static unsigned put_outcome(struct builder *builder, unsigned first)
{
	const struct call_rule *rules = builder->rules;
	unsigned place = builder->refused, i, before;

	if (first == NO_RULE)
		return builder->refused;
	if (!rules[first].mask)
		return rules[first].error ? put_return(builder, SECCOMP_RET_ERRNO | rules[first].error)
		                          : builder->allowed;
	for (i = last_rule(rules, rules[first].call, builder->count); i != NO_RULE; i = before) {
		before = last_rule(rules, rules[i].call, i);
		place = put_jump(builder, BPF_JEQ, rules[i].value, builder->allowed, place);
		if (rules[i].mask != UINT32_MAX)
			place = put(builder, BPF_ALU | BPF_AND | BPF_K, 0, 0, rules[i].mask);
		/* Else it is there already. */
		if (before == NO_RULE || rules[before].mask != UINT32_MAX ||
			rules[before].argument != rules[i].argument)
			place = put_load(
				builder, offsetof(struct seccomp_data, args) + 8 * (size_t)rules[i].argument);
	}
	return place;
}

/* As deep as the logarithm of CALLS. */
static unsigned put_search(struct builder *builder, const struct range *ranges, unsigned count)
{
	unsigned half = count / 2, above;

	if (count == 1)
		return put_outcome(builder, ranges->rule);
	above = put_search(builder, ranges + half, count - half);
	return put_jump(builder, BPF_JGE, ranges[half].from, above, put_search(builder, ranges, half));
}

static bool have_same_outcome(const struct call_rule *rules, unsigned a, unsigned b)
{
	if (a == NO_RULE || b == NO_RULE)
		return a == b;
	return !rules[a].mask && !rules[b].mask && rules[a].error == rules[b].error;
}

/* Of each call the rule without a mask, or the first one. */
static int find_rules(const struct call_rule *rules, unsigned count, unsigned first[CALLS + 1])
{
	unsigned i;

	for (i = 0; i <= CALLS; i++)
		first[i] = NO_RULE;
	for (i = count; i-- > 0;) {
		unsigned call = rules[i].call;

		if (call >= CALLS || (rules[i].mask && rules[i].error))
			return -EINVAL;
		if (first[call] == NO_RULE || rules[first[call]].mask)
			first[call] = i;
	}
	return 0;
}

/* Returns how many: the last one has all numbers above those of calls. */
static unsigned find_ranges(
	const struct call_rule *rules, const unsigned first[CALLS + 1], struct range ranges[CALLS + 1])
{
	unsigned count = 1, call;

	ranges[0] = (struct range){0, first[0]};
	for (call = 1; call <= CALLS; call++) {
		if (!have_same_outcome(rules, ranges[count - 1].rule, first[call]))
			ranges[count++] = (struct range){call, first[call]};
	}
	return count;
}

static void reverse(struct sock_filter *code, unsigned len)
{
	unsigned i;

	for (i = 0; i < len / 2; i++) {
		struct sock_filter one = code[i];

		code[i] = code[len - 1 - i];
		code[len - 1 - i] = one;
	}
}

int program_build(
	const struct call_rule *rules, unsigned count, uint32_t otherwise, struct sock_fprog *ret_program)
{
	struct builder builder = {.rules = rules, .count = count};
	unsigned first[CALLS + 1], range_count, checked;
	struct range ranges[CALLS + 1];
	int err = find_rules(rules, count, first);

	if (err)
		return err;
	range_count = find_ranges(rules, first, ranges);
	builder.code = malloc((6 + 4 * (size_t)range_count + 5 * (size_t)count) * sizeof(*builder.code));
	if (!builder.code)
		return -ENOMEM;
	builder.allowed = put_return(&builder, SECCOMP_RET_ALLOW);
	builder.refused = put_return(&builder, otherwise);
	put_search(&builder, ranges, range_count);
	checked = put_load(&builder, offsetof(struct seccomp_data, nr));
	put_jump(&builder, BPF_JEQ, AUDIT_ARCH_X86_64, checked,
		put_return(&builder, SECCOMP_RET_KILL_PROCESS));
	put_load(&builder, offsetof(struct seccomp_data, arch));
	reverse(builder.code, builder.len);
	*ret_program = (struct sock_fprog){(uint16_t)builder.len, builder.code};
	return 0;
}
