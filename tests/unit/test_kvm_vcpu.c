/* What of a vCPU needs no KVM: its kicks. */
#include "suites.h"

#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>

#include "kvm/kvm_vcpu.h"

#define KICK (SIGRTMIN + 4)

static struct kvm_run run;
static volatile sig_atomic_t kicks, would_leave;

static void kicked(int number)
{
	(void)number;
	kicks++;
	would_leave = run.immediate_exit;
}

/* The signal may come right before KVM_RUN, which then has to leave by itself. */
START_TEST(kick_by_a_handled_signal_stops_the_next_entry_too)
{
	struct kvm_vcpu vcpu = {.fd = -1, .run = &run, .kick_signal = KICK};
	sigset_t all;

	signal(KICK, kicked);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	kvm_vcpu_kick(&vcpu, pthread_self());
	ck_assert_int_eq(kicks, 0);
	ck_assert_int_eq(kvm_vcpu_accept_kicks(&vcpu), 0);
	ck_assert_int_eq(kicks, 1);
	ck_assert_int_eq(would_leave, 1);
}
END_TEST

START_TEST(masked_kick_waits_for_kvm_run)
{
	struct kvm_vcpu vcpu = {.fd = -1, .run = &run};
	sigset_t pending;

	sigemptyset(&pending);
	sigaddset(&pending, SIGRTMIN);
	pthread_sigmask(SIG_BLOCK, &pending, NULL);
	kvm_vcpu_kick(&vcpu, pthread_self());
	ck_assert_int_eq(run.immediate_exit, 0);
	ck_assert_int_eq(sigpending(&pending), 0);
	ck_assert_int_eq(sigismember(&pending, SIGRTMIN), 1);
}
END_TEST

Suite *kvm_vcpu_suite(void)
{
	Suite *suite = suite_create("kvm/vcpu");
	TCase *tcase = tcase_create("kicks");

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, kick_by_a_handled_signal_stops_the_next_entry_too);
	tcase_add_test(tcase, masked_kick_waits_for_kvm_run);
	return suite;
}
