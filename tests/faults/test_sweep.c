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
#define WORK  "run=blk fill 0 0 8 7;blk zero 0 64 8;blk flush 0;blk verify 0 0 8 7"

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
		ck_assert_msg(files_mappings() <= mappings + 2, "%s:%u:%s: %u mappings, not %u",
			fault_names[sweep->call], nth, sweep->err, files_mappings(), mappings);
	}
}
END_TEST

Suite *fault_sweep_suite(void)
{
	Suite *suite = suite_create("sweeps");
	TCase *tcase = tcase_create("start");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, files_setup, files_teardown);
	tcase_add_loop_test(
		tcase, whatever_fails_at_the_start_is_said_and_leaves_nothing, 0, SWEEPS(start_sweeps));
	suite_add_tcase(suite, tcase);
	return suite;
}
