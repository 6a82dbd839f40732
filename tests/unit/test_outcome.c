/* The exit-status contract: every row of it. */
#include "suites.h"

#include <stdlib.h>

#include "machine/outcome.h"
#include "machine/vm.h"
#include "util/bytes.h"

static const struct {
	enum lodge_outcome outcome;
	const char *name;
	int status;
} contract[] = {
	{LODGE_POWEROFF, "poweroff", 0},
	{LODGE_USAGE, "usage", 100},
	{LODGE_HOST, "host", 101},
	{LODGE_IMAGE, "image", 102},
	{LODGE_VMM_ERROR, "vmm-error", 103},
	{LODGE_RESET, "reset", 110},
	{LODGE_TRIPLE_FAULT, "triple-fault", 111},
	{LODGE_KVM_INTERNAL_ERROR, "kvm-internal-error", 112},
	{LODGE_PANIC, "panic", 113},
	{LODGE_TIMEOUT, "timeout", 114},
	{LODGE_STOPPED, "stopped", 115},
};

START_TEST(each_outcome_has_its_name_and_status)
{
	ck_assert_str_eq(lodge_outcome_name(contract[_i].outcome), contract[_i].name);
	ck_assert_int_eq(outcome_status(contract[_i].outcome, 0), contract[_i].status);
}
END_TEST

START_TEST(guest_code_counts_for_its_own_exit_only)
{
	ck_assert_int_eq(outcome_status(contract[_i].outcome, 7), contract[_i].status);
}
END_TEST

static const struct {
	uint32_t code;
	int status;
} codes[] = {{0, 0}, {1, 1}, {7, 7}, {98, 98}, {99, 99}, {100, 99}, {115, 99}, {255, 99}, {256, 99},
	{0x7fffffff, 99}, {0x80000000, 99}, {0xffffffff, 99}};

START_TEST(guest_codes_are_clamped_to_99)
{
	ck_assert_str_eq(lodge_outcome_name(LODGE_GUEST_EXIT), "guest-exit");
	ck_assert_int_eq(outcome_status(LODGE_GUEST_EXIT, codes[_i].code), codes[_i].status);
}
END_TEST

START_TEST(error_statuses_lead_back_to_their_outcomes)
{
	ck_assert_int_eq(outcome_of_error(100), LODGE_USAGE);
	ck_assert_int_eq(outcome_of_error(101), LODGE_HOST);
	ck_assert_int_eq(outcome_of_error(102), LODGE_IMAGE);
	ck_assert_int_eq(outcome_of_error(103), LODGE_VMM_ERROR);
	ck_assert_int_eq(outcome_of_error(0), LODGE_VMM_ERROR);
}
END_TEST

START_TEST(outcome_that_there_is_not_has_a_name_too)
{
	ck_assert_str_eq(lodge_outcome_name((enum lodge_outcome)(LODGE_STOPPED + 1)), "unknown");
	ck_assert_str_eq(lodge_outcome_name((enum lodge_outcome) - 1), "unknown");
}
END_TEST

static enum lodge_outcome end_by(const struct ending *first, const struct ending *second)
{
	struct lodge_vm *vm = calloc(1, sizeof(*vm));
	enum lodge_outcome outcome;

	ck_assert_ptr_nonnull(vm);
	ck_assert_int_eq(event_loop_init(&vm->loop), 0);
	pthread_mutex_init(&vm->end_lock, NULL);
	vm_end(vm, first);
	vm_end(vm, second);
	ck_assert(vm->ended && vm->ending_now);
	outcome = vm->ending.outcome;
	event_loop_fini(&vm->loop);
	pthread_mutex_destroy(&vm->end_lock);
	free(vm);
	return outcome;
}

START_TEST(the_first_cause_counts_but_a_restart_gives_way_to_a_stop)
{
	const struct ending off = {.outcome = LODGE_POWEROFF}, stop = {.outcome = LODGE_STOPPED},
			    timeout = {.outcome = LODGE_TIMEOUT}, broken = {.outcome = LODGE_VMM_ERROR},
			    reset = {.outcome = LODGE_RESET},
			    restart = {.outcome = LODGE_RESET, .restart = true};

	ck_assert_int_eq(end_by(&off, &stop), LODGE_POWEROFF);
	ck_assert_int_eq(end_by(&stop, &restart), LODGE_STOPPED);
	ck_assert_int_eq(end_by(&reset, &stop), LODGE_RESET);
	ck_assert_int_eq(end_by(&restart, &stop), LODGE_STOPPED);
	ck_assert_int_eq(end_by(&restart, &timeout), LODGE_TIMEOUT);
	ck_assert_int_eq(end_by(&restart, &broken), LODGE_VMM_ERROR);
	ck_assert_int_eq(end_by(&restart, &off), LODGE_RESET);
}
END_TEST

Suite *outcome_suite(void)
{
	Suite *suite = suite_create("machine/outcome");
	TCase *tcase = tcase_create("outcome");

	tcase_add_test(tcase, the_first_cause_counts_but_a_restart_gives_way_to_a_stop);
	suite_add_tcase(suite, tcase);
	tcase_add_loop_test(tcase, each_outcome_has_its_name_and_status, 0, ARRAY_SIZE(contract));
	tcase_add_loop_test(tcase, guest_code_counts_for_its_own_exit_only, 0, ARRAY_SIZE(contract));
	tcase_add_loop_test(tcase, guest_codes_are_clamped_to_99, 0, ARRAY_SIZE(codes));
	tcase_add_test(tcase, error_statuses_lead_back_to_their_outcomes);
	tcase_add_test(tcase, outcome_that_there_is_not_has_a_name_too);
	return suite;
}
