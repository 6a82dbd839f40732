/* --pci: lodger, which drives its disks by virtio-pci there, finds them as good as on virtio-mmio. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/command.h"
#include "lib/disk_pattern.h"
#include "lib/files.h"
#include "lib/guest.h"
#include "vm/suites.h"

#define IMAGE "disk.img"

static struct guest guest;

static void init(const char *append)
{
	guest_init(&guest, append);
	guest.config.pci = true;
}

static const struct {
	unsigned cpus;
	enum lodge_irqchip irqchip;
} machines[] = {
	{1, LODGE_IRQCHIP_SPLIT},
	{1, LODGE_IRQCHIP_FULL},
	{2, LODGE_IRQCHIP_SPLIT},
	{2, LODGE_IRQCHIP_FULL},
};

START_TEST(every_self_test_passes_on_two_disks)
{
	const struct lodge_disk disks[] = {{.size = 1 << 20}, {.size = 1 << 20}};

	init("run=blk list;selftest");
	guest.config.cpus = machines[_i].cpus;
	guest.config.irqchip = machines[_i].irqchip;
	guest.config.disks = disks;
	guest.config.disk_count = 2;
	ck_assert_msg(guest_run(&guest) == 0, "%s", guest.console);
	ck_assert_ptr_nonnull(strstr(guest.console, "disk 0: virtio-pci 00:01.0, msi-x"));
	ck_assert_ptr_nonnull(strstr(guest.console, "disk 1: virtio-pci 00:02.0, msi-x"));
	ck_assert_ptr_nonnull(strstr(guest.console, "ok blk1-restore"));
}
END_TEST

START_TEST(eight_disks_are_eight_disks)
{
	struct lodge_disk disks[LODGE_DISKS_MAX];
	char paths[LODGE_DISKS_MAX][16], append[512] = "run=";

	for (unsigned i = 0; i < LODGE_DISKS_MAX; i++) {
		snprintf(paths[i], sizeof(paths[i]), "disk%u", i);
		files_make(paths[i], 64 << 10);
		disks[i] = (struct lodge_disk){.path = paths[i]};
		snprintf(append + strlen(append), 64, "blk fill %u 3 5 %u;", i, 40 + i);
	}
	init(append);
	guest.config.disks = disks;
	guest.config.disk_count = LODGE_DISKS_MAX;
	ck_assert_msg(guest_run(&guest) == 0, "%s", guest.console);
	for (unsigned i = 0; i < LODGE_DISKS_MAX; i++)
		ck_assert_uint_eq(pattern_first_wrong(paths[i], 3, 5, 40 + i), 8);
}
END_TEST

/* How often a guest that does this has come to lodge for its disk's registers. */
static uint64_t visits(const char *append)
{
	const struct lodge_disk disk = {.path = IMAGE};

	init(append);
	guest_run_with_disk(&guest, &disk);
	ck_assert_msg(guest.result.status == 0, "%s", guest.console);
	return guest_count(guest.result.devices, guest.result.device_count, "virtio_pci");
}

START_TEST(requests_cost_no_exit_to_user_space)
{
	uint64_t few;

	files_make(IMAGE, 1 << 20);
	few = visits("run=blk write 0 1 x");
	ck_assert_uint_gt(few, 0);
	ck_assert_uint_eq(
		visits("run=blk write 0 1 x;blk write 0 2 x;blk write 0 3 x;blk flush 0;blk read 0 4"), few);
}
END_TEST

START_TEST(a_machine_that_is_made_anew_has_its_disks_on_pci_again)
{
	const struct lodge_disk disk = {.size = 1 << 20};

	init("run=blk list;selftest blk;reset");
	guest.config.restart = true;
	guest.config.disks = &disk;
	guest.config.disk_count = 1;
	guest_start(&guest);
	ck_assert(guest_wait_for(&guest, "ok blk0-write", 3));
	lodge_vm_stop(guest.vm);
	ck_assert_int_eq(guest_finish(&guest), 115);
	ck_assert_ptr_null(strstr(guest.console, "FAIL"));
}
END_TEST

START_TEST(without_it_there_is_no_pci)
{
	guest_init(&guest, "run=info;blk list");
	ck_assert_int_eq(guest_run(&guest), 0);
	ck_assert_ptr_null(strstr(guest.console, "pci"));
	ck_assert_ptr_null(strstr(guest.console, "PCI"));
}
END_TEST

START_TEST(the_command_has_it_in_its_sandbox)
{
	struct command *command = command_new();

	files_make(IMAGE, 1 << 20);
	ck_assert_int_eq(command_call(command, "run", "--pci", "-c", "2", "--disk", "path=" IMAGE, "--append",
				 "run=blk fill 0 0 8 3;selftest", NULL),
		0);
	ck_assert_ptr_nonnull(strstr(command->out, " 0 failed"));
	ck_assert_uint_eq(pattern_first_wrong(IMAGE, 0, 8, 3), 8);
	free(command);
}
END_TEST

Suite *pci_suite(void)
{
	Suite *suite = suite_create("pci");
	TCase *tcase = tcase_create("disks");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, files_setup, files_teardown);
	tcase_add_loop_test(
		tcase, every_self_test_passes_on_two_disks, 0, sizeof(machines) / sizeof(machines[0]));
	tcase_add_test(tcase, eight_disks_are_eight_disks);
	tcase_add_test(tcase, requests_cost_no_exit_to_user_space);
	tcase_add_test(tcase, a_machine_that_is_made_anew_has_its_disks_on_pci_again);
	tcase_add_test(tcase, without_it_there_is_no_pci);
	tcase_add_test(tcase, the_command_has_it_in_its_sandbox);
	suite_add_tcase(suite, tcase);
	return suite;
}
