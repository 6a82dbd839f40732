/* Guest memory in huge pages that the host sets aside: 40 MiB of them for the tests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/command.h"
#include "lib/files.h"
#include "lib/guest.h"
#include "lib/huge_pages.h"
#include "vm/suites.h"

#define MIB (1024u * 1024u)

static struct guest guest, other;
static bool lent;

static void lend(void)
{
	lent = huge_pages_lend(20);
	if (!lent)
		printf("SKIPPED: huge pages: this host has none, and does not set any aside for this user\n");
}

START_TEST(guest_runs_in_huge_pages)
{
	struct lodge_stats stats;

	if (!lent)
		return;
	guest_init(&guest, NULL);
	guest.config.hugepages = true;
	guest_start(&guest);
	ck_assert(guest_wait_for(&guest, "lodger> ", 1));
	ck_assert_int_eq(lodge_vm_stats(guest.vm, &stats), 0);
	/* All are there from the start. */
	ck_assert_uint_eq(stats.memory_resident, 32 * MIB);
	lodge_vm_stop(guest.vm);
	guest_finish(&guest);
}
END_TEST

START_TEST(memory_in_huge_pages_works_and_is_given_back)
{
	if (!lent)
		return;
	for (unsigned i = 0; i < 2; i++) {
		guest_init(&guest, "run=info;selftest memory");
		guest.config.hugepages = true;
		ck_assert_msg(guest_run(&guest) == 0, "%s%s\n%s", guest.result.message, guest.error.text,
			guest.console);
	}
}
END_TEST

/* Also those that its disk held: it has 16 of 20 each time. */
START_TEST(a_restart_gets_its_huge_pages_again)
{
	const struct lodge_disk disk = {.path = "huge.img"};

	if (!lent)
		return;
	files_make(disk.path, 1 << 20);
	guest_init(&guest, "run=blk fill 0 0 64 7;blk verify 0 0 64 7;reset");
	guest.config.hugepages = guest.config.restart = true;
	guest.config.disks = &disk;
	guest.config.disk_count = 1;
	guest_start(&guest);
	ck_assert(guest_wait_for(&guest, "64 sectors from 0 are right", 2));
	lodge_vm_stop(guest.vm);
	guest_finish(&guest);
	if (strstr(guest.result.disks[0].engine, "io_uring") && geteuid() == 0)
		ck_assert_str_eq(guest.result.disks[0].engine, "io_uring, memory registered");
	ck_assert_uint_eq(guest.result.disks[0].errors, 0);
	ck_assert_msg(guest.result.outcome == LODGE_STOPPED, "%s", guest.result.message);
	ck_assert_uint_ge(guest.result.restarts, 1);
}
END_TEST

/* What the second one lacks is known before it runs, and told in numbers. */
START_TEST(two_guests_share_what_there_is)
{
	if (!lent)
		return;
	guest_init(&guest, NULL);
	guest.config.hugepages = true;
	guest.config.memory = 20 * MIB;
	guest_start(&guest);
	guest_init(&other, "run=exit 0");
	other.config.hugepages = true;
	other.config.memory = 20 * MIB;
	ck_assert_msg(guest_run(&other) == 0, "%s%s", other.result.message, other.error.text);
	other.config.memory = 4096ull * MIB;
	other.config.overcommit = true;
	ck_assert_int_eq(guest_run(&other), 101);
	ck_assert_msg(strstr(other.error.text, "takes 2048 huge pages, and ") != NULL &&
			      strstr(other.error.text, "as root: echo ") != NULL,
		"%s", other.error.text);
	lodge_vm_stop(guest.vm);
	guest_finish(&guest);
}
END_TEST

START_TEST(the_command_says_how_many_to_set_aside)
{
	struct command *command = command_new();

	ck_assert_int_eq(command_call(command, "run", "--hugepages", "-m", "1T", "--overcommit", NULL), 101);
	ck_assert_msg(strstr(command->err, "takes 524288 huge pages") != NULL &&
			      strstr(command->err,
				      ">/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages") != NULL,
		"%s", command->err);
	free(command);
}
END_TEST

Suite *huge_pages_suite(void)
{
	Suite *suite = suite_create("huge pages");
	TCase *tcase = tcase_create("huge_pages");

	suite_add_tcase(suite, tcase);
	tcase_add_unchecked_fixture(tcase, lend, huge_pages_return);
	tcase_add_checked_fixture(tcase, files_setup, files_teardown);
	tcase_add_test(tcase, guest_runs_in_huge_pages);
	tcase_add_test(tcase, memory_in_huge_pages_works_and_is_given_back);
	tcase_add_test(tcase, a_restart_gets_its_huge_pages_again);
	tcase_add_test(tcase, two_guests_share_what_there_is);
	tcase_add_test(tcase, the_command_says_how_many_to_set_aside);
	return suite;
}
