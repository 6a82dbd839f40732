/* A thread of the library's: which signals it leaves to the embedder's. */
#include "suites.h"

#include <signal.h>

#include "util/thread.h"

static void *read_mask(void *ret_mask)
{
	pthread_sigmask(SIG_BLOCK, NULL, ret_mask);
	return NULL;
}

START_TEST(signals_are_for_other_threads_but_for_those_of_a_fault)
{
	sigset_t mask;
	pthread_t thread;

	ck_assert_int_eq(thread_start(&thread, read_mask, &mask), 0);
	pthread_join(thread, NULL);
	for (int signal = 1; signal <= SIGRTMAX; signal++) {
		bool fault = signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL ||
		             signal == SIGSYS;
		bool blockable =
			signal != SIGKILL && signal != SIGSTOP && (signal < 32 || signal >= SIGRTMIN);

		ck_assert_msg(sigismember(&mask, signal) == (blockable && !fault), "signal %d", signal);
	}
}
END_TEST

START_TEST(whoever_starts_it_has_the_same_signals_as_before)
{
	sigset_t before, after;
	pthread_t thread;

	sigemptyset(&before);
	sigaddset(&before, SIGUSR1);
	sigaddset(&before, SIGSEGV);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	ck_assert_int_eq(thread_start(&thread, read_mask, &after), 0);
	pthread_join(thread, NULL);
	read_mask(&after);
	for (int signal = 1; signal <= SIGRTMAX; signal++)
		ck_assert_msg(
			sigismember(&after, signal) == sigismember(&before, signal), "signal %d", signal);
}
END_TEST

Suite *thread_suite(void)
{
	Suite *suite = suite_create("util/thread");
	TCase *tcase = tcase_create("thread");

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, signals_are_for_other_threads_but_for_those_of_a_fault);
	tcase_add_test(tcase, whoever_starts_it_has_the_same_signals_as_before);
	return suite;
}
