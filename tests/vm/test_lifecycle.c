/* VMs come and go in one process, and leave nothing behind. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/files.h"
#include "lib/guest.h"
#include "vm/suites.h"

#define SEQUENCE 200
#define TOGETHER 8

static struct guest guest;

START_TEST(two_hundred_vms_one_after_another_leak_nothing)
{
	const struct lodge_disk disk = {.size = 1 << 20};
	unsigned fds = 0, mappings = 0;

	for (int i = 0; i < SEQUENCE; i++) {
		guest_init(&guest, "run=exit 11");
		ck_assert_int_eq(guest_run_with_disk(&guest, &disk), 11);
		if (i == 10) {
			fds = files_open_fds();
			mappings = files_mappings();
		}
	}
	ck_assert_uint_eq(files_open_fds(), fds);
	/* The heap may grow a little, a sanitizer's more so; the RAM of 190 VMs may not stay. */
	ck_assert_uint_le(files_mappings(), mappings + 40);
}
END_TEST

static void *stop_now(void *vm)
{
	lodge_vm_stop(vm);
	return NULL;
}

static void *run_one(void *ctx)
{
	struct guest *one = ctx;

	guest_run(one);
	return NULL;
}

START_TEST(eight_vms_at_once_do_not_mix)
{
	static struct guest guests[TOGETHER];
	static char appends[TOGETHER][64];
	const struct lodge_disk disk = {.size = 1 << 20};
	pthread_t threads[TOGETHER];

	for (int i = 0; i < TOGETHER; i++) {
		snprintf(appends[i], sizeof(appends[i]),
			"run=blk fill 0 0 8 %d;blk verify 0 0 8 %d;echo I am %d;exit %d", i, i, i, 20 + i);
		guest_init(&guests[i], appends[i]);
		guests[i].config.timeout_ms = 60000;
		guests[i].config.disks = &disk;
		guests[i].config.disk_count = 1;
		pthread_create(&threads[i], NULL, run_one, &guests[i]);
	}
	for (int i = 0; i < TOGETHER; i++) {
		char want[16];

		pthread_join(threads[i], NULL);
		snprintf(want, sizeof(want), "I am %d", i);
		ck_assert_int_eq(guests[i].result.status, 20 + i);
		ck_assert_ptr_nonnull(strstr(guests[i].console, want));
	}
}
END_TEST

START_TEST(a_vm_that_never_ran_leaves_nothing)
{
	unsigned fds = files_open_fds();
	struct lodge_vm *vm;

	guest_init(&guest, NULL);
	guest.config.cpus = 4;
	ck_assert_int_eq(lodge_vm_new(&guest.config, &vm, &guest.error), 0);
	lodge_vm_free(vm);
	lodge_vm_free(NULL);
	ck_assert_uint_eq(files_open_fds(), fds);
}
END_TEST

START_TEST(a_vm_that_could_not_be_made_leaves_nothing)
{
	const struct lodge_disk disks[] = {{.size = 1 << 20}, {.path = "missing.img"}};
	unsigned fds = files_open_fds();

	for (int i = 0; i < 20; i++) {
		guest_init(&guest, NULL);
		guest.config.disks = disks;
		guest.config.disk_count = 1 + (i & 1);
		guest.config.kernel = i & 1 ? NULL : "missing.elf";
		ck_assert_int_eq(guest_run(&guest), LODGE_STATUS_IMAGE);
	}
	ck_assert_uint_eq(files_open_fds(), fds);
}
END_TEST

START_TEST(a_vm_runs_only_once)
{
	struct lodge_vm *vm;

	guest_init(&guest, "run=exit 1");
	ck_assert_int_eq(lodge_vm_new(&guest.config, &vm, &guest.error), 0);
	ck_assert_int_eq(lodge_vm_run(vm, &guest.result), 0);
	ck_assert_int_lt(lodge_vm_run(vm, &guest.result), 0);
	lodge_vm_free(vm);
}
END_TEST

START_TEST(stops_at_any_moment_end_the_run)
{
	for (int i = 0; i < 40; i++) {
		struct lodge_vm *vm;
		pthread_t thread;

		guest_init(&guest, NULL);
		guest.config.cpus = 1 + (unsigned)i % 4;
		ck_assert_int_eq(lodge_vm_new(&guest.config, &vm, &guest.error), 0);
		guest.result.status = -1;
		pthread_create(&thread, NULL, stop_now, vm);
		ck_assert_int_eq(lodge_vm_run(vm, &guest.result), 0);
		pthread_join(thread, NULL);
		lodge_vm_free(vm);
		ck_assert_int_eq(guest.result.status, 115);
	}
}
END_TEST

static void read_handlers(struct sigaction *actions)
{
	for (int signal = 1; signal <= SIGRTMAX; signal++)
		sigaction(signal, NULL, &actions[signal]);
}

START_TEST(the_embedders_signals_are_left_alone)
{
	static struct sigaction before[128], after[128];
	sigset_t mask, mask_after;

	ck_assert_int_lt(SIGRTMAX, 128);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	read_handlers(before);
	guest_init(&guest, "run=exit 1");
	ck_assert_int_eq(guest_run(&guest), 1);
	read_handlers(after);
	pthread_sigmask(SIG_SETMASK, NULL, &mask_after);
	for (int signal = 1; signal <= SIGRTMAX; signal++) {
		ck_assert_int_eq(sigismember(&mask_after, signal), sigismember(&mask, signal));
		ck_assert_ptr_eq(before[signal].sa_handler, after[signal].sa_handler);
	}
}
END_TEST

Suite *lifecycle_suite(void)
{
	Suite *suite = suite_create("lifecycle");
	TCase *tcase = tcase_create("VMs"), *volume = tcase_create("volume");

	tcase_set_timeout(tcase, 240);
	tcase_add_checked_fixture(tcase, files_setup, files_teardown);
	tcase_add_test(tcase, eight_vms_at_once_do_not_mix);
	tcase_add_test(tcase, a_vm_that_never_ran_leaves_nothing);
	tcase_add_test(tcase, a_vm_that_could_not_be_made_leaves_nothing);
	tcase_add_test(tcase, a_vm_runs_only_once);
	tcase_add_test(tcase, stops_at_any_moment_end_the_run);
	tcase_add_test(tcase, the_embedders_signals_are_left_alone);
	suite_add_tcase(suite, tcase);

	tcase_set_tags(volume, "volume");
	tcase_set_timeout(volume, 240);
	tcase_add_checked_fixture(volume, files_setup, files_teardown);
	tcase_add_test(volume, two_hundred_vms_one_after_another_leak_nothing);
	suite_add_tcase(suite, volume);
	return suite;
}
