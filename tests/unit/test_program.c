/* Lists of calls as programs: what they say of a call is what the list says. */
#include "suites.h"

#include <errno.h>
#include <linux/audit.h>
#include <stdlib.h>

#include "lib/seccomp_program.h"
#include "random.h"
#include "sandbox/program.h"
#include "util/bytes.h"

#define RULES   400
#define CALLS   512
#define REFUSED (SECCOMP_RET_TRAP | 3)

/* The list read plainly. */
static uint32_t outcome(const struct call_rule *rules, unsigned count, const struct seccomp_data *call)
{
	uint32_t found = REFUSED;
	unsigned i;

	for (i = 0; i < count; i++) {
		const struct call_rule *rule = &rules[i];

		if (rule->call != (unsigned)call->nr)
			continue;
		if (!rule->mask)
			return rule->error ? SECCOMP_RET_ERRNO | rule->error : SECCOMP_RET_ALLOW;
		if (((uint32_t)call->args[rule->argument] & rule->mask) == rule->value)
			found = SECCOMP_RET_ALLOW;
	}
	return found;
}

/* Of `calls` calls, so that some have many rules; a call's unconditional ones agree. */
static unsigned make_rules(struct call_rule rules[RULES], unsigned calls, uint32_t *seed)
{
	static const uint32_t masks[] = {0, UINT32_MAX, UINT32_MAX, 1, 0xf0};
	unsigned count = random_next(seed) % RULES, i;

	for (i = 0; i < count; i++) {
		struct call_rule *rule = &rules[i];

		rule->call = random_next(seed) % calls * (CALLS / calls);
		rule->argument = random_next(seed) % 6 / 3 * 5;
		rule->mask = masks[random_next(seed) % ARRAY_SIZE(masks)];
		rule->value = random_next(seed) % 300 & rule->mask;
		rule->error = !rule->mask && rule->call % 7 == 1 ? EPERM : 0;
	}
	return count;
}

START_TEST(a_program_says_what_its_list_says)
{
	static const unsigned calls[] = {1, 2, 20, CALLS};
	uint32_t seed = (uint32_t)_i + 1;
	struct call_rule rules[RULES];
	unsigned count = make_rules(rules, calls[_i % 4], &seed), nr, i;
	struct sock_fprog program;

	ck_assert_int_eq(program_build(rules, count, REFUSED, &program), 0);
	for (nr = 0; nr < CALLS + 2; nr++) {
		for (i = 0; i < 40; i++) {
			struct seccomp_data call = {.nr = (int)nr, .arch = AUDIT_ARCH_X86_64};

			/* The upper half of an argument is nobody's. */
			call.args[0] = random_next(&seed) % 300 | (uint64_t)random_next(&seed) << 32;
			call.args[5] = random_next(&seed) % 300;
			ck_assert_msg(
				seccomp_program_may(&program, &call, false, outcome(rules, count, &call)),
				"call %u", nr);
		}
	}
	free(program.filter);
}
END_TEST

START_TEST(what_is_no_call_of_this_architecture_is_refused)
{
	const struct call_rule rule = {.call = 1};
	const struct seccomp_data x32 = {.nr = 0x40000001, .arch = AUDIT_ARCH_X86_64},
				  none = {.nr = -1, .arch = AUDIT_ARCH_X86_64},
				  i386 = {.nr = 1, .arch = AUDIT_ARCH_I386};
	struct sock_fprog program;

	ck_assert_int_eq(program_build(&rule, 1, REFUSED, &program), 0);
	ck_assert(seccomp_program_may(&program, &x32, true, REFUSED));
	ck_assert(seccomp_program_may(&program, &none, true, REFUSED));
	ck_assert(seccomp_program_may(&program, &i386, true, SECCOMP_RET_KILL_PROCESS));
	free(program.filter);
}
END_TEST

START_TEST(a_rule_that_is_none_is_told)
{
	static const struct call_rule none[] = {
		{.call = CALLS}, {.call = UINT32_MAX}, {.call = 1, .mask = 1, .value = 1, .error = EPERM}};
	struct sock_fprog program;
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(none); i++)
		ck_assert_int_eq(program_build(&none[i], 1, REFUSED, &program), -EINVAL);
}
END_TEST

Suite *program_suite(void)
{
	Suite *suite = suite_create("program");
	TCase *tcase = tcase_create("program");

	tcase_add_loop_test(tcase, a_program_says_what_its_list_says, 0, 24);
	tcase_add_test(tcase, what_is_no_call_of_this_architecture_is_refused);
	tcase_add_test(tcase, a_rule_that_is_none_is_told);
	suite_add_tcase(suite, tcase);
	return suite;
}
