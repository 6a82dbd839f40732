/*
 * Every call that can fail fails once, at each of its uses in turn: while a VM is made, there is a clear error and
 * nothing is left; while it runs, it ends as docs/exit-status.md has it, or the guest never learns.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "faults/engines.h"
#include "faults/suites.h"
#include "lib/disk_pattern.h"
#include "lib/files.h"
#include "lib/guest.h"

#define IMAGE "disk.img"
#define WORK                                                                                    \
	"run=blk fill 1 0 8 7;blk fill 0 0 8 7;blk zero 0 64 8;blk flush 0;blk verify 1 0 8 7;" \
	"blk verify 0 0 8 7"

/* What the C library keeps; a sanitizer has mappings of its own, and looks for leaks by itself. */
#ifdef __SANITIZE_ADDRESS__
#define MAPPINGS_SPARE 1000
#else
#define MAPPINGS_SPARE 2
#endif

/* A call, and what it may well fail with. */
struct sweep {
	enum fault_call call;
	const char *err;
};

static const struct sweep start_sweeps[] = {
	{FAULT_calloc, "ENOMEM"},
	{FAULT_epoll_create1, "EMFILE"},
	{FAULT_epoll_ctl, "ENOSPC"},
	{FAULT_eventfd, "EMFILE"},
	{FAULT_fallocate, "EIO"},
	{FAULT_fcntl, "ENOLCK"},
	{FAULT_fstat, "EIO"},
	{FAULT_ftruncate, "ENOSPC"},
	{FAULT_io_uring_queue_init_params, "ENOMEM"},
	{FAULT_io_uring_register_files, "EMFILE"},
	{FAULT_ioctl, "ENOMEM"},
	{FAULT_ioctl, "EINVAL"},
	{FAULT_kvm_create, "ENOMEM"},
	{FAULT_kvm_create, "EMFILE"},
	{FAULT_madvise, "ENOMEM"},
	{FAULT_malloc, "ENOMEM"},
	{FAULT_memfd_create, "EMFILE"},
	{FAULT_mmap, "ENOMEM"},
	{FAULT_open, "EMFILE"},
	{FAULT_open, "EIO"},
	{FAULT_posix_memalign, "ENOMEM"},
	{FAULT_pread, "EIO"},
	{FAULT_pthread_create, "EAGAIN"},
	{FAULT_pwrite, "ENOSPC"},
	{FAULT_timerfd_create, "EMFILE"},
};

#define SWEEPS(array) (int)(sizeof(array) / sizeof((array)[0]))

static struct guest guest;

static const struct lodge_disk disks[] = {
	{.path = IMAGE},
	{.path = "second.img", .aio = LODGE_AIO_THREADS, .direct = true},
	{.size = 1 << 20},
};

static void make_files(void)
{
	files_make(IMAGE, 1 << 20);
	files_make("second.img", 1 << 20);
	files_write("initrd", "data", 4);
}

/* All that a machine can have. */
static void configure(const char *append)
{
	guest_init(&guest, append);
	guest.config.kernel = getenv("LODGER");
	guest.config.initrd = "initrd";
	guest.config.cpus = 2;
	guest.config.disks = disks;
	guest.config.disk_count = 3;
}

static void try_start(const struct sweep *sweep, unsigned nth, unsigned *ret_hits)
{
	struct lodge_error error = {0};
	struct lodge_vm *vm = NULL;
	char plan[64];
	int err;

	snprintf(plan, sizeof(plan), "%s:%u:%s", fault_names[sweep->call], nth, sweep->err);
	/* Check's own calls are not to fail: it has no say before the plan is over. */
	fault_plan(plan);
	err = lodge_vm_new(&guest.config, &vm, &error);
	*ret_hits = fault_hits();
	fault_plan(NULL);
	if (!err) {
		lodge_vm_free(vm);
		return;
	}
	ck_assert_msg(*ret_hits && err < 0 && !vm, "%s: %d %s", plan, err, error.text);
	ck_assert_msg(error.status >= LODGE_STATUS_HOST && error.status <= LODGE_STATUS_VMM_ERROR,
		"%s: status %d: %s", plan, error.status, error.text);
	ck_assert_msg(strlen(error.text) > 10 && !strchr(error.text, '\n'), "%s: '%s'", plan, error.text);
	if (strstr(plan, "EMFILE") && sweep->call != FAULT_io_uring_register_files)
		ck_assert_msg(error.status == LODGE_STATUS_VMM_ERROR && strstr(error.text, "ulimit -n"),
			"%s: %d %s", plan, error.status, error.text);
}

START_TEST(whatever_fails_at_the_start_is_said_and_leaves_nothing)
{
	const struct sweep *sweep = &start_sweeps[_i];
	unsigned hits = 1, fds, mappings;

	make_files();
	configure("");
	/* What the C library keeps of a first time is no leak. */
	try_start(sweep, 10000, &hits);
	fds = files_open_fds();
	mappings = files_mappings();
	for (unsigned nth = 1; hits || nth == 1; nth++) {
		try_start(sweep, nth, &hits);
		ck_assert_msg(hits || nth > 1, "%s is never called", fault_names[sweep->call]);
		ck_assert_msg(files_open_fds() == fds, "%s:%u:%s: %u descriptors, not %u",
			fault_names[sweep->call], nth, sweep->err, files_open_fds(), fds);
		ck_assert_msg(files_mappings() <= mappings + MAPPINGS_SPARE, "%s:%u:%s: %u mappings, not %u",
			fault_names[sweep->call], nth, sweep->err, files_mappings(), mappings);
	}
}
END_TEST

/* Which uses of a call are tried: the first ones, one in the middle, and the last; 0 ends them. */
static void choose_uses(unsigned count, unsigned uses[6])
{
	const unsigned wanted[5] = {1, 2, 3, count / 2, count};
	unsigned len = 0, last = 0;

	for (unsigned i = 0; i < 5; i++) {
		if (wanted[i] > last && wanted[i] <= count)
			uses[len++] = last = wanted[i];
	}
	uses[len] = 0;
}

static void run_faulty(const char *plan)
{
	files_make(IMAGE, 1 << 20);
	configure(WORK);
	fault_plan(plan);
	guest_run(&guest);
}

/* What says so of a signal, or of something that is not ready, is asked again. The rest never says so. */
static const struct sweep again_sweeps[] = {
	{FAULT_kvm_run, "EINTR"},
	{FAULT_kvm_run, "EAGAIN"},
	{FAULT_kvm_create, "EINTR"},
	{FAULT_epoll_wait, "EINTR"},
	{FAULT_fallocate, "EINTR"},
	{FAULT_fallocate, "EAGAIN"},
	{FAULT_open, "EINTR"},
	{FAULT_pread, "EINTR"},
	{FAULT_pread, "short"},
	{FAULT_read, "EINTR"},
	{FAULT_read, "EAGAIN"},
	{FAULT_write, "EINTR"},
	{FAULT_write, "short"},
	{FAULT_preadv, "EINTR"},
	{FAULT_pwritev, "EINTR"},
	{FAULT_io_uring_submit, "EINTR"},
	{FAULT_uring_read, "EAGAIN"},
	{FAULT_uring_fsync, "EAGAIN"},
};

START_TEST(what_says_again_once_is_asked_again_and_the_guest_never_learns)
{
	const struct sweep *sweep = &again_sweeps[_i];
	unsigned uses[6], count;
	char plan[64];

	make_files();
	run_faulty(NULL);
	ck_assert_int_eq(guest.result.status, 0);
	count = fault_count(sweep->call);
	count -= sweep->call == FAULT_pread; /* the last one is our own look at the console */
	ck_assert_msg(count > 0, "%s is never called", fault_names[sweep->call]);
	choose_uses(count, uses);
	for (unsigned i = 0; uses[i]; i++) {
		snprintf(plan, sizeof(plan), "%s:%u:%s", fault_names[sweep->call], uses[i], sweep->err);
		run_faulty(plan);
		fault_plan(NULL);
		ck_assert_msg(guest.result.status == 0 && strstr(guest.console, "8 sectors from 0 are right"),
			"%s of %u: status %d %s\n%s", plan, count, guest.result.status, guest.result.message,
			guest.console);
		ck_assert_msg(pattern_first_wrong(IMAGE, 0, 8, 7) == 8, "%s: wrong data", plan);
	}
}
END_TEST

/* As a lock on a network file system may; and one that another process gives up meanwhile. */
START_TEST(a_lock_that_a_signal_interrupts_is_asked_for_again)
{
	static const char *const plans[] = {"fcntl:1:EINTR", "fcntl:1:EAGAIN", "fcntl:1:EACCES"};

	make_files();
	for (unsigned i = 0; i < 3; i++) {
		run_faulty(plans[i]);
		ck_assert_msg(guest.result.status == 0, "%s: %s", plans[i], guest.result.message);
	}
}
END_TEST

/* What fails for good while a guest runs: an end that docs/exit-status.md has, in time, and something to read. */
static const struct sweep run_sweeps[] = {
	{FAULT_kvm_run, "EFAULT"},
	{FAULT_kvm_run, "ENOMEM"},
	{FAULT_kvm_run, "EIO"},
	{FAULT_ioctl, "ENOMEM"},
	{FAULT_epoll_wait, "EBADF"},
	{FAULT_epoll_ctl, "ENOMEM"},
	{FAULT_pthread_create, "EAGAIN"},
	{FAULT_malloc, "ENOMEM"},
	{FAULT_calloc, "ENOMEM"},
	{FAULT_mmap, "ENOMEM"},
	{FAULT_open, "EMFILE"},
	{FAULT_read, "EIO"},
	{FAULT_write, "EIO"},
	{FAULT_write, "ENOSPC"},
	{FAULT_timerfd_settime, "EINVAL"},
};

START_TEST(whatever_fails_while_a_guest_runs_it_ends_as_it_should)
{
	const struct sweep *sweep = &run_sweeps[_i];
	unsigned uses[6], count, fds = files_open_fds();
	char plan[64];

	make_files();
	run_faulty(NULL);
	count = fault_count(sweep->call);
	ck_assert_msg(count > 0, "%s is never called", fault_names[sweep->call]);
	choose_uses(count, uses);
	for (unsigned i = 0; uses[i]; i++) {
		int status;

		snprintf(plan, sizeof(plan), "%s:%u:%s", fault_names[sweep->call], uses[i], sweep->err);
		run_faulty(plan);
		fault_plan(NULL);
		status = guest.result.status;
		if (getenv("SWEEP_VERBOSE"))
			fprintf(stderr, "%s of %u -> %d %s\n", plan, count, status, guest.result.message);
		/* By no timeout: nothing hangs. */
		ck_assert_msg((status == 0 && strstr(guest.console, "are right")) ||
				      ((status == LODGE_STATUS_HOST || status == LODGE_STATUS_IMAGE ||
					       status == LODGE_STATUS_VMM_ERROR ||
					       status == LODGE_STATUS_KVM_INTERNAL_ERROR) &&
					      strlen(guest.result.message) > 10),
			"%s of %u: status %d '%s'\n%s", plan, count, status, guest.result.message,
			guest.console);
		ck_assert_msg(
			files_open_fds() == fds, "%s: %u descriptors, not %u", plan, files_open_fds(), fds);
	}
}
END_TEST

/* Also in the moment between the guest's end and the last look at its console: whoever reads it must not take it for whole. */
START_TEST(output_that_is_lost_is_never_a_good_end)
{
	for (unsigned i = 0; i < 40; i++) {
		guest_init(&guest, "run=echo well");
		fault_plan(i % 2 ? "write_text:1:ENOSPC" : "write_text:2:EIO");
		guest_run(&guest);
		if (!fault_hits())
			continue;
		fault_plan(NULL);
		ck_assert_msg(guest.result.status == LODGE_STATUS_VMM_ERROR &&
				      strstr(guest.result.message, "console output: "),
			"run %u: status %d %s\n%s", i, guest.result.status, guest.result.message,
			guest.console);
	}
}
END_TEST

Suite *fault_sweep_suite(void)
{
	Suite *suite = suite_create("sweeps");
	TCase *tcase = tcase_create("sweeps");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, files_setup, files_teardown);
	tcase_add_loop_test(
		tcase, whatever_fails_at_the_start_is_said_and_leaves_nothing, 0, SWEEPS(start_sweeps));
	tcase_add_loop_test(tcase, what_says_again_once_is_asked_again_and_the_guest_never_learns, 0,
		SWEEPS(again_sweeps));
	tcase_add_test(tcase, a_lock_that_a_signal_interrupts_is_asked_for_again);
	tcase_add_loop_test(
		tcase, whatever_fails_while_a_guest_runs_it_ends_as_it_should, 0, SWEEPS(run_sweeps));
	tcase_add_test(tcase, output_that_is_lost_is_never_a_good_end);
	suite_add_tcase(suite, tcase);
	return suite;
}
