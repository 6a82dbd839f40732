/*
 * A disk whose host fails: the guest is told exactly of what was lost, and of nothing else. In every engine, with and
 * without the host's page cache.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faults/engines.h"
#include "faults/suites.h"
#include "lib/disk_pattern.h"
#include "lib/files.h"
#include "lib/guest.h"

#define IMAGE "disk.img"

/* What the guest does. Nothing depends on what fails. */
#define WORK                                                                                            \
	"run=blk fill 0 0 24 7;blk fill 0 128 24 7;blk discard 0 512 16;blk zero 0 544 16;blk flush 0;" \
	"blk verify 0 1024 24 9;blk verify 0 1152 24 9"

static struct guest guest;

static void run_with(const struct engine *engine, const char *plan, const char *append)
{
	const struct lodge_disk disk = {.path = IMAGE, .aio = engine->aio, .direct = engine->direct};

	guest_init(&guest, append);
	ck_assert(fault_plan(plan));
	guest_run_with_disk(&guest, &disk);
}

/* A call of the engine's, the fault, and what the guest says of it; NULL: it never learns. */
/* clang-format off */
static const struct {
	enum engine_call call;
	const char *fault;
	const char *says;
} rows[] = {
	{ENGINE_WRITE, "1:EIO", "write at sector 0: IOERR"},
	{ENGINE_WRITE, "2:ENOSPC", "write at sector 128: IOERR"},
	{ENGINE_WRITE, "1:short", NULL},
	{ENGINE_WRITE, "2:EINTR", NULL},
	{ENGINE_WRITE, "1:EAGAIN", NULL},
	{ENGINE_READ, "1:EIO", "read at sector 1024: IOERR"},
	{ENGINE_READ, "1:short", NULL},
	{ENGINE_READ, "1:EINTR", NULL},
	{ENGINE_READ, "2:EAGAIN", NULL},
	{ENGINE_FLUSH, "1:EIO", "flush at sector 0: IOERR"},
	{ENGINE_FLUSH, "1:ENOSPC", "flush at sector 0: IOERR"},
	{ENGINE_FLUSH, "1:EINTR", NULL},
	{ENGINE_FLUSH, "1:EAGAIN", NULL},
	{ENGINE_DISCARD, "1:EIO", "discard at sector 512: IOERR"},
	{ENGINE_DISCARD, "1:EINTR", NULL},
	{ENGINE_DISCARD, "1:EAGAIN", NULL},
	{ENGINE_ZERO, "2:ENOSPC", "write-zeroes at sector 544: IOERR"},
	{ENGINE_ZERO, "2:EINTR", NULL},
	{ENGINE_ZERO, "2:EAGAIN", NULL},
	{ENGINE_ZERO, "2:EOPNOTSUPP", NULL}, /* zeroes are written then */
};
/* clang-format on */

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* fallocate() is also asked once, when the disk is opened, whether it can punch holes; and threads discard by it. */
static void make_plan(const struct engine *engine, unsigned row, char plan[64])
{
	enum engine_call call = rows[row].call;
	unsigned nth = (unsigned)(rows[row].fault[0] - '0');

	if (engine->calls[call] == FAULT_fallocate)
		nth = call == ENGINE_DISCARD || engine->calls[ENGINE_DISCARD] != FAULT_fallocate ? 2 : 3;
	snprintf(plan, 64, "%s:%u%s", fault_names[engine->calls[call]], nth, rows[row].fault + 1);
}

static void make_image(void)
{
	files_make(IMAGE, 1 << 20);
	pattern_fill(IMAGE, 512, 64, 8);
	pattern_fill(IMAGE, 1024, 152, 9);
}

static bool wrote_all(void)
{
	return pattern_first_wrong(IMAGE, 0, 24, 7) == 24 && pattern_first_wrong(IMAGE, 128, 24, 7) == 152;
}

static void check_row(const struct engine *engine, unsigned row)
{
	static const char zeroes[SECTOR];
	const char *says = rows[row].says;
	char plan[64], sector[SECTOR];
	unsigned hits;
	FILE *image;

	make_image();
	make_plan(engine, row, plan);
	run_with(engine, plan, WORK);
	hits = fault_hits();
	fault_plan(NULL);
	ck_assert_msg(hits == 1, "%s %s: took place %u times", engine->option, plan, hits);
	ck_assert_msg(guest.result.outcome == (says ? LODGE_GUEST_EXIT : LODGE_GUEST_EXIT - 1) &&
			      guest.result.status == (says ? 1 : 0),
		"%s %s: status %d %s\n%s", engine->option, plan, guest.result.status, guest.result.message,
		guest.console);
	ck_assert_msg(guest.result.disks[0].errors == (says ? 1 : 0), "%s %s: %d errors", engine->option,
		plan, (int)guest.result.disks[0].errors);
	ck_assert_str_eq(guest.result.disks[0].engine, engine->name);
	if (says) {
		ck_assert_msg(strstr(guest.console, says) != NULL, "%s %s: no '%s' in\n%s", engine->option,
			plan, says, guest.console);
		return;
	}
	ck_assert_msg(wrote_all(), "%s %s: wrong data", engine->option, plan);
	image = fopen(IMAGE, "r");
	fseek(image, 552 * SECTOR, SEEK_SET);
	ck_assert_uint_eq(fread(sector, 1, SECTOR, image), SECTOR);
	ck_assert_msg(!memcmp(sector, zeroes, SECTOR), "%s %s: no zeroes", engine->option, plan);
	fclose(image);
}

START_TEST(a_fault_of_the_disk_is_the_guests_to_know_or_is_overcome)
{
	if (!engine_works(&engines[_i], IMAGE))
		return;
	for (unsigned row = 0; row < ROWS; row++)
		check_row(&engines[_i], row);
}
END_TEST

/* The kernel forgets: it says once that data was lost, and then takes the pages for clean. */
START_TEST(after_a_failed_flush_no_flush_succeeds)
{
	const struct engine *engine = &engines[_i];
	char plan[64];

	if (!engine_works(engine, IMAGE))
		return;
	snprintf(plan, sizeof(plan), "%s:2:EIO", fault_names[engine->calls[ENGINE_FLUSH]]);
	run_with(engine, plan,
		"run=blk flush 0;echo one;blk fill 0 0 8 7;blk flush 0;echo two;blk flush 0;"
		"blk verify 0 0 8 7;blk flush 0");
	ck_assert_int_eq(guest.result.status, 1);
	ck_assert_uint_eq(guest.result.disks[0].flushes, 4);
	ck_assert_uint_eq(guest.result.disks[0].errors, 3);
	ck_assert_msg(strstr(guest.console, "one") && strstr(strstr(guest.console, "two"), "flush at"), "%s",
		guest.console);
}
END_TEST

/* ... nor does one after a reset: the data is as lost to the next kernel. */
START_TEST(a_restart_does_not_forget_a_failed_flush)
{
	const struct engine *engine = &engines[_i];
	const struct lodge_disk disk = {.path = IMAGE, .aio = engine->aio, .direct = engine->direct};
	char plan[64];

	if (!engine_works(engine, IMAGE))
		return;
	guest_init(&guest, "run=blk flush 0;echo flushed;reset");
	snprintf(plan, sizeof(plan), "%s:1:EIO", fault_names[engine->calls[ENGINE_FLUSH]]);
	ck_assert(fault_plan(plan));
	guest.config.restart = true;
	guest.config.disks = &disk;
	guest.config.disk_count = 1;
	guest_start(&guest);
	ck_assert(guest_wait_for(&guest, "flushed", 3));
	lodge_vm_stop(guest.vm);
	ck_assert_int_eq(guest_finish(&guest), LODGE_STATUS_STOPPED);
	ck_assert_uint_ge(guest.result.restarts, 2);
	ck_assert_uint_ge(guest.result.disks[0].flushes, 3);
	ck_assert_uint_eq(guest.result.disks[0].errors, guest.result.disks[0].flushes);
}
END_TEST

/* From a file system in user space, for one. */
START_TEST(a_host_that_says_again_for_ever_is_an_error)
{
	static const char *const faults[] = {"EAGAIN", "EINTR"};
	char plan[128];

	files_make(IMAGE, 1 << 20);
	for (unsigned i = 0; i < 4; i++) {
		bool write = i & 1;

		snprintf(plan, sizeof(plan), "%s:1+:%s", write ? "pwritev" : "preadv", faults[i / 2]);
		run_with(&engines[1], plan, write ? "run=blk fill 0 0 8 7" : "run=blk verify 0 0 8 7");
		ck_assert_msg(guest.result.status == 1 && strstr(guest.console, "IOERR"), "%s: status %d %s",
			plan, guest.result.status, guest.console);
	}
	run_with(&engines[1], "fdatasync:1+:EINTR", "run=blk flush 0");
	ck_assert_int_eq(guest.result.status, 1);
}
END_TEST

START_TEST(a_ring_that_takes_nothing_is_done_without)
{
	static const char *const plans[] = {"io_uring_submit:1:EAGAIN", "io_uring_submit:2:EBUSY",
		"io_uring_submit:3:EINTR", "io_uring_submit:2+:EAGAIN", "io_uring_submit:1+:ENOMEM",
		"io_uring_submit:1+:EBADR"};

	if (!engine_works(&engines[0], IMAGE))
		return;
	for (unsigned i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		make_image();
		run_with(&engines[0], plans[i], WORK);
		ck_assert_uint_ge(fault_hits(), 1);
		ck_assert_msg(guest.result.status == 0, "%s: status %d %s\n%s", plans[i], guest.result.status,
			guest.result.message, guest.console);
		ck_assert(wrote_all());
		ck_assert_uint_eq(guest.result.disks[0].errors, 0);
	}
}
END_TEST

/* Neither a signal (nothing of it is mapped) nor old data: what is past the end is an error. */
START_TEST(a_file_cut_under_the_guest_is_an_error_where_it_ends)
{
	const struct engine *engine = &engines[_i];
	struct lodge_disk disk = {.path = IMAGE, .aio = engine->aio, .direct = engine->direct};
	struct lodge_vm *vm;
	struct stat st;

	if (!engine_works(engine, IMAGE))
		return;
	pattern_fill(IMAGE, 0, 128, 5);
	guest_init(&guest, "run=blk verify 0 112 16 5;blk verify 0 112 32 5;blk fill 0 2040 8 6;blk flush 0");
	guest.config.disks = &disk;
	guest.config.disk_count = 1;
	ck_assert_int_eq(lodge_vm_new(&guest.config, &vm, &guest.error), 0);
	ck_assert_int_eq(truncate(IMAGE, 128 * SECTOR), 0);
	ck_assert_int_eq(lodge_vm_run(vm, &guest.result), 0);
	lodge_vm_free(vm);
	ck_assert_int_eq(guest.result.status, 1);
	ck_assert_uint_eq(guest.result.disks[0].errors, 1);
	/* A write past the end makes the file longer again, as on any host. */
	ck_assert_int_eq(stat(IMAGE, &st), 0);
	ck_assert_int_eq(st.st_size, 1 << 20);
	ck_assert_uint_eq(pattern_first_wrong(IMAGE, 2040, 8, 6), 2048);
}
END_TEST

START_TEST(without_io_uring_threads_do_it)
{
	static const char *const plans[] = {"io_uring_queue_init_params:1:EPERM",
		"io_uring_queue_init_params:1:ENOSYS", "io_uring_queue_init_params:1:ENOMEM",
		"io_uring_register_files:1:ENOMEM"};
	struct engine any = engines[1];

	any.aio = LODGE_AIO_AUTO;
	make_image();
	run_with(&any, plans[_i], WORK);
	ck_assert_uint_eq(fault_hits(), 1);
	ck_assert_int_eq(guest.result.status, 0);
	ck_assert_str_eq(guest.result.disks[0].engine, "threads");
	run_with(&engines[0], plans[_i], WORK);
	ck_assert_int_eq(guest.result.status, LODGE_STATUS_HOST);
	ck_assert(strstr(guest.error.text, IMAGE) && strstr(guest.error.text, "aio=io_uring"));
}
END_TEST

Suite *fault_disk_suite(void)
{
	Suite *suite = suite_create("disk faults");
	TCase *tcase = tcase_create("disk");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, files_setup, files_teardown);
	tcase_add_loop_test(tcase, a_fault_of_the_disk_is_the_guests_to_know_or_is_overcome, 0, ENGINES);
	tcase_add_loop_test(tcase, after_a_failed_flush_no_flush_succeeds, 0, ENGINES);
	tcase_add_loop_test(tcase, a_restart_does_not_forget_a_failed_flush, 0, ENGINES);
	tcase_add_test(tcase, a_host_that_says_again_for_ever_is_an_error);
	tcase_add_test(tcase, a_ring_that_takes_nothing_is_done_without);
	tcase_add_loop_test(tcase, a_file_cut_under_the_guest_is_an_error_where_it_ends, 0, ENGINES);
	tcase_add_loop_test(tcase, without_io_uring_threads_do_it, 0, 4);
	suite_add_tcase(suite, tcase);
	return suite;
}
