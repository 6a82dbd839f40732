/*
 * lodge is killed in the middle of a load of writes. What it had told the guest to be flushed is in the image: the
 * guest's log (`blk log`) says on the console how far that is, and the image is read as it is left.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "faults/engines.h"
#include "faults/suites.h"
#include "lib/command_fixture.h"
#include "lib/disk_pattern.h"
#include "lib/files.h"

#define IMAGE          "disk.img"
#define ROUNDS         50
#define FIRST          8
#define PLACES         40
#define RECORD_SECTORS 2

/* The last record that the console says is flushed; 0: none. A line that was cut says nothing. */
static unsigned long last_flushed(const char *console)
{
	unsigned long last = 0, record;

	for (const char *at = console; (at = strstr(at, "flushed ")); at++) {
		char end = 0;

		if (sscanf(at, "flushed %lu%c", &record, &end) == 2 && (end == '\r' || end == '\n'))
			last = record;
	}
	return last;
}

/* The kernel may still be at requests of a process that it killed: the lock goes with the last of them. */
static int open_quiet(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(IMAGE, O_RDWR | O_CLOEXEC);

	for (int tries = 0; fcntl(fd, F_OFD_SETLK, &lock) && tries < 2000; tries++)
		usleep(5000);
	return fd;
}

/* The newest record that was due in this place when `flushed` was told, or one after it, is there, whole. */
static void check_place(int fd, unsigned place, unsigned long flushed, const char *what)
{
	unsigned long due = flushed <= place ? 0 : flushed - (flushed - 1 - place) % PLACES;
	uint8_t bytes[SECTOR];

	for (unsigned i = 0; due && i < RECORD_SECTORS; i++) {
		uint64_t sector = FIRST + place * RECORD_SECTORS + i, record;

		ck_assert_int_eq(pread(fd, bytes, SECTOR, (off_t)(sector * SECTOR)), SECTOR);
		record = pattern_seed(bytes, sector);
		ck_assert_msg(record >= due && record != UINT64_MAX && record % PLACES == due % PLACES,
			"%s: flushed %lu: sector %lu has record %ld, not %lu", what, flushed,
			(unsigned long)sector, (long)record, due);
	}
}

/* A guest with a fresh image that writes records. */
static void start_log(const struct engine *engine)
{
	const char *const argv[] = {command_lodge(), "run", "--disk", NULL, "-m", "32M", "--append",
		"run=blk log 0 8 40 1000000", NULL};
	const char *arguments[sizeof(argv) / sizeof(argv[0])];
	char disk[64];

	snprintf(disk, sizeof(disk), "path=" IMAGE "%s", engine->option);
	memcpy(arguments, argv, sizeof(argv));
	arguments[3] = disk;
	files_make(IMAGE, 1 << 20);
	command_start(command, arguments);
}

static void check_image(unsigned long flushed, const char *what)
{
	int fd = open_quiet();

	for (unsigned place = 0; place < PLACES; place++)
		check_place(fd, place, flushed, what);
	close(fd);
}

/* How many records were flushed. */
static unsigned long run_round(const struct engine *engine, unsigned delay_us, const char *what)
{
	unsigned long flushed;

	start_log(engine);
	if (!command_expect(command, "flushed", 30)) {
		/* lodger waits for 5 s. A host that is so busy is none of our business. */
		command_finish(command, 30);
		ck_assert_msg(strstr(command->out, "no answer") != NULL, "%s: status %d: %s%s", what,
			command->status, command->out, command->err);
		return 0;
	}
	usleep(delay_us);
	kill(command->pid, SIGKILL);
	ck_assert_int_eq(command_finish(command, 10), 128 + SIGKILL);
	flushed = last_flushed(command->out);
	check_image(flushed, what);
	return flushed;
}

START_TEST(what_was_flushed_is_there_whenever_the_vmm_is_killed)
{
	const char *given = getenv("CRASH_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL) ^ (unsigned)getpid();
	unsigned random = seed, rounds = 0, told = 0;
	bool works[ENGINES];

	printf("crash: CRASH_SEED=%u\n", seed);
	for (unsigned i = 0; i < ENGINES; i++)
		works[i] = engine_works(&engines[i], IMAGE);
	for (unsigned i = 0; i < ROUNDS; i++) {
		const struct engine *engine = &engines[i % ENGINES];
		unsigned delay_us = (unsigned)rand_r(&random) % 40000;
		char what[96];

		if (!works[i % ENGINES])
			continue;
		snprintf(what, sizeof(what), "CRASH_SEED=%u: round %u, %s, killed after %u us", seed, i,
			engine->option + 1, delay_us);
		told += run_round(engine, delay_us, what) != 0;
		rounds++;
	}
	ck_assert_msg(told >= rounds / 2, "only %u of %u rounds had flushed anything", told, rounds);
}
END_TEST

/* The moments in which it matters: before a write, and before a flush that the guest waits for. */
START_TEST(what_was_flushed_is_there_when_the_vmm_dies_in_a_call)
{
	static const enum engine_call calls[] = {ENGINE_WRITE, ENGINE_FLUSH};
	const struct engine *engine = &engines[_i];

	if (!engine_works(engine, IMAGE))
		return;
	for (unsigned i = 0; i < 10; i++) {
		enum engine_call call = calls[i % 2];
		unsigned nth = i + 1;
		unsigned long flushed, most = call == ENGINE_WRITE ? (nth - 1) / 3 * 3 : (nth - 1) * 3;
		char plan[64];

		snprintf(plan, sizeof(plan), "%s:%u:die", fault_names[engine->calls[call]], nth);
		setenv("LODGE_FAULTS", plan, 1);
		start_log(engine);
		unsetenv("LODGE_FAULTS");
		ck_assert_msg(command_finish(command, 20) >= 128 || command->err_len, "%s: status %d", plan,
			command->status);
		flushed = last_flushed(command->out);
		ck_assert_msg(flushed <= most, "%s: %lu are said to be flushed", plan, flushed);
		/* Those that the guest knows of, whether or not its last line was read. */
		check_image(most, plan);
	}
}
END_TEST

Suite *fault_crash_suite(void)
{
	Suite *suite = suite_create("crash");
	TCase *tcase = tcase_create("crash");

	tcase_set_timeout(tcase, 300);
	tcase_add_checked_fixture(tcase, command_setup, command_teardown);
	tcase_add_test(tcase, what_was_flushed_is_there_whenever_the_vmm_is_killed);
	tcase_add_loop_test(tcase, what_was_flushed_is_there_when_the_vmm_dies_in_a_call, 0, ENGINES);
	suite_add_tcase(suite, tcase);
	return suite;
}
