/* lodger keeps its contract: the self-tests, the shell, and other VMMs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/command.h"
#include "lib/files.h"
#include "lib/guest.h"
#include "vm/suites.h"

static struct guest guest;

START_TEST(every_self_test_passes_with_and_without_disks)
{
	const struct lodge_disk disks[] = {
		{.size = 1 << 20},
		{.path = "a.img"},
		{.path = "b.img", .read_only = true},
	};

	files_make("a.img", 1 << 20);
	files_make("b.img", 1 << 20);
	guest_init(&guest, "run=selftest");
	guest.config.disks = disks;
	guest.config.disk_count = (unsigned)_i;
	ck_assert_msg(guest_run(&guest) == 0, "status %d %s\n%s", guest.result.status, guest.result.message,
		guest.console);
	ck_assert_ptr_null(strstr(guest.console, "FAIL"));
	ck_assert_ptr_nonnull(strstr(guest.console, " 0 failed"));
}
END_TEST

START_TEST(a_failing_command_fails_the_run)
{
	guest_init(&guest, "run=echo before;no-such-command;echo after");
	ck_assert_int_eq(guest_run(&guest), 1);
	guest_init(&guest, "run=blk read 0 0");
	ck_assert_int_eq(guest_run(&guest), 1); /* there is no disk */
}
END_TEST

START_TEST(info_tells_where_everything_was_learnt_from)
{
	static const char *const words[] = {
		"serial@i3f8", "rtc@i70", "virtio_mmio@d0000000", "(FDT module)", "(PVH start_info)"};
	const struct lodge_disk disk = {.size = 1 << 20};

	guest_init(&guest, "run=info");
	ck_assert_int_eq(guest_run_with_disk(&guest, &disk), 0);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		ck_assert_msg(
			strstr(guest.console, words[i]) != NULL, "no %s in\n%s", words[i], guest.console);
}
END_TEST

START_TEST(the_shell_says_ready_and_prompts)
{
	const char *const argv[] = {command_lodge(), "run", NULL};
	struct command *command = command_new();

	command->input = "";
	command->keep_input = true;
	command_start(command, argv);
	ck_assert(command_expect(command, "lodger: ready", 20));
	ck_assert(command_expect(command, "lodger> ", 20));
	command_send(command, "frobnicate\nexit 12\n", 19);
	ck_assert_int_eq(command_finish(command, 20), 12);
	ck_assert_ptr_nonnull(strstr(command->out, "frobnicate"));
	free(command);
}
END_TEST

START_TEST(a_crash_is_reported_with_registers_and_a_back_trace)
{
	guest_init(&guest, "run=crash pf");
	ck_assert_int_eq(guest_run(&guest), 113);
	ck_assert_ptr_nonnull(strstr(guest.console, "rip"));
	ck_assert_ptr_nonnull(strstr(guest.console, "cr2"));
	/* Names of functions, from the symbols that lodger carries. */
	ck_assert_ptr_nonnull(strstr(guest.console, "command_crash"));
}
END_TEST

/* The same file under another VMM: QEMU's microvm machine, emulated so that it needs no KVM of its own. */
START_TEST(lodger_boots_under_qemu_microvm_and_finds_its_disk)
{
	const char *elf = getenv("LODGER") ? getenv("LODGER") : "build/lodger.elf";
	const char *const argv[] = {"/bin/sh", "-c",
		"exec qemu-system-x86_64 -M microvm -accel tcg -smp 4 -m 64M -nodefaults -no-reboot -display none "
		"-serial stdio -kernel \"$0\" -append 'run=blk fill 0 0 8 3;blk verify 0 0 8 3;cpus;selftest;poweroff' "
		"-drive id=d,file=disk.img,format=raw,if=none -device virtio-blk-device,drive=d "
		"-device isa-debug-exit,iobase=0xf4,iosize=4",
		elf, NULL};
	struct command *command = command_new();

	if (access("/usr/bin/qemu-system-x86_64", X_OK)) {
		printf("SKIPPED: lodger_boots_under_qemu_microvm: qemu-system-x86_64 is not installed\n");
		free(command);
		return;
	}
	files_make("disk.img", 1 << 20);
	command_start(command, argv);
	command_finish(command, 100);
	ck_assert_msg(!command->timed_out, "%s", command->out);
	ck_assert_msg(strstr(command->out, " 0 failed") != NULL, "%s%s", command->out, command->err);
	ck_assert_msg(
		strstr(command->out, "cpus: 4 of 4 in use") != NULL, "%s%s", command->out, command->err);
	free(command);
}
END_TEST

Suite *lodger_suite(void)
{
	Suite *suite = suite_create("lodger");
	TCase *tcase = tcase_create("contract");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, files_setup, files_teardown);
	tcase_add_loop_test(tcase, every_self_test_passes_with_and_without_disks, 0, 4);
	tcase_add_test(tcase, a_failing_command_fails_the_run);
	tcase_add_test(tcase, info_tells_where_everything_was_learnt_from);
	tcase_add_test(tcase, the_shell_says_ready_and_prompts);
	tcase_add_test(tcase, a_crash_is_reported_with_registers_and_a_back_trace);
	tcase_add_test(tcase, lodger_boots_under_qemu_microvm_and_finds_its_disk);
	suite_add_tcase(suite, tcase);
	return suite;
}
