/* Every row of docs/exit-status.md happens for its cause: through the library and through the command. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/command.h"
#include "lib/elf_builder.h"
#include "lib/files.h"
#include "lib/guest.h"
#include "vm/suites.h"

static struct guest guest;

static void check(const char *append, enum lodge_outcome outcome, int status)
{
	guest_init(&guest, append);
	guest_run(&guest);
	ck_assert_msg(guest.result.outcome == outcome && guest.result.status == status,
		"%s: %s, status %d: %s\n%s", append, lodge_outcome_name(guest.result.outcome),
		guest.result.status, guest.result.message, guest.console);
}

START_TEST(power_off_is_0)
{
	check("run=poweroff", LODGE_POWEROFF, 0);
	ck_assert(!guest.result.has_guest_code);
	ck_assert_str_eq(guest.result.message, "");
}
END_TEST

START_TEST(debug_exit_of_0_is_a_power_off)
{
	check("run=exit 0", LODGE_POWEROFF, 0);
	ck_assert(!guest.result.has_guest_code);
}
END_TEST

START_TEST(debug_exit_codes_are_the_status)
{
	check("run=exit 1", LODGE_GUEST_EXIT, 1);
	check("run=exit 42", LODGE_GUEST_EXIT, 42);
	ck_assert(guest.result.has_guest_code);
	ck_assert_uint_eq(guest.result.guest_code, 42);
	check("run=exit 99", LODGE_GUEST_EXIT, 99);
}
END_TEST

START_TEST(larger_codes_clamp_to_99_and_are_reported_whole)
{
	check("run=exit 100", LODGE_GUEST_EXIT, 99);
	ck_assert_uint_eq(guest.result.guest_code, 100);
	check("run=exit 70000", LODGE_GUEST_EXIT, 99);
	ck_assert_uint_eq(guest.result.guest_code, 70000);
}
END_TEST

START_TEST(qemu_mode_of_the_debug_exit_port_doubles_and_adds_one)
{
	guest_init(&guest, "run=exit 0");
	guest.config.qemu_debug_exit = true;
	ck_assert_int_eq(guest_run(&guest), 1);
	guest_init(&guest, "run=exit 16");
	guest.config.qemu_debug_exit = true;
	ck_assert_int_eq(guest_run(&guest), 33);
}
END_TEST

START_TEST(reset_is_110_from_each_of_its_registers)
{
	check("run=reset", LODGE_RESET, 110);
	check("run=reset cf9", LODGE_RESET, 110);
}
END_TEST

/*
 * A second CPU in real mode, by INIT and SIPI, that jumps to f000:fff0: what Linux does on `reboot`.
 * mov dword [0x8000],0x00fff0ea; mov byte [0x8004],0xf0; the ICR: mov dword [0xfee00310],1 << 24;
 * mov dword [0xfee00300],0x4500; mov dword [0xfee00300],0x4608; 1: hlt; jmp 1b
 */
static const uint8_t jump_to_the_firmware[] = {0xc7, 0x05, 0x00, 0x80, 0x00, 0x00, 0xea, 0xf0, 0xff, 0x00,
	0xc6, 0x05, 0x04, 0x80, 0x00, 0x00, 0xf0, 0xc7, 0x05, 0x10, 0x03, 0xe0, 0xfe, 0x00, 0x00, 0x00, 0x01,
	0xc7, 0x05, 0x00, 0x03, 0xe0, 0xfe, 0x00, 0x45, 0x00, 0x00, 0xc7, 0x05, 0x00, 0x03, 0xe0, 0xfe, 0x08,
	0x46, 0x00, 0x00, 0xf4, 0xeb, 0xfd};

START_TEST(a_jump_to_the_firmware_is_a_reset)
{
	elf_write_pvh("reset.elf", jump_to_the_firmware, sizeof(jump_to_the_firmware));
	guest_init(&guest, NULL);
	guest.config.kernel = "reset.elf";
	guest.config.cpus = 2;
	guest.config.timeout_ms = 5000;
	ck_assert_msg(guest_run(&guest) == 110, "status %d %s", guest.result.status, guest.result.message);
	ck_assert_int_eq(guest.result.outcome, LODGE_RESET);
}
END_TEST

START_TEST(triple_fault_is_111_with_registers)
{
	check("run=crash triple", LODGE_TRIPLE_FAULT, 111);
	ck_assert(guest.result.has_registers);
	ck_assert_ptr_nonnull(strstr(guest.result.message, "triple fault"));
}
END_TEST

/* jmp to 0xd1000000: nothing is there to be executed, on any kind of host. */
static const uint8_t jump_into_the_hole[] = {0xb8, 0x00, 0x00, 0x00, 0xd1, 0xff, 0xe0};

START_TEST(what_kvm_cannot_run_is_112_with_registers)
{
	ck_assert_int_eq(elf_write_pvh("hole.elf", jump_into_the_hole, sizeof(jump_into_the_hole)), 0);
	guest_init(&guest, NULL);
	guest.config.kernel = "hole.elf";
	ck_assert_int_eq(guest_run(&guest), 112);
	ck_assert_int_eq(guest.result.outcome, LODGE_KVM_INTERNAL_ERROR);
	ck_assert(guest.result.has_registers);
	ck_assert_uint_eq(guest.result.registers.rip, 0xd1000000);
	ck_assert_uint_eq(guest.result.registers.code_len, 0);
}
END_TEST

START_TEST(panic_is_113)
{
	check("run=panic", LODGE_PANIC, 113);
	ck_assert_ptr_nonnull(strstr(guest.result.message, "panic"));
}
END_TEST

START_TEST(an_unhandled_exception_in_lodger_is_a_panic_with_a_dump)
{
	check("run=crash ud2", LODGE_PANIC, 113);
	ck_assert_ptr_nonnull(strstr(guest.console, "rip"));
}
END_TEST

START_TEST(timeout_is_114)
{
	guest_init(&guest, NULL); /* the shell waits for ever */
	guest.config.timeout_ms = 300;
	ck_assert_int_eq(guest_run(&guest), 114);
	ck_assert_int_eq(guest.result.outcome, LODGE_TIMEOUT);
	ck_assert_uint_ge(guest.result.run_us, 300000);
}
END_TEST

static const uint8_t spin[] = {0xeb, 0xfe};                      /* 1: jmp 1b */
static const uint8_t halt_for_ever[] = {0xfa, 0xf4, 0xeb, 0xfd}; /* cli; 1: hlt; jmp 1b */

START_TEST(no_guest_loop_outlives_the_timeout)
{
	elf_write_pvh("spin.elf", spin, sizeof(spin));
	elf_write_pvh("halt.elf", halt_for_ever, sizeof(halt_for_ever));
	guest_init(&guest, NULL);
	guest.config.timeout_ms = 300;
	guest.config.kernel = "spin.elf";
	ck_assert_int_eq(guest_run(&guest), 114);
	/* Where it was. */
	ck_assert(guest.result.has_registers && guest.result.registers.code_len >= 2);
	ck_assert_mem_eq(guest.result.registers.code, spin, sizeof(spin));
	guest.config.kernel = "halt.elf";
	ck_assert_int_eq(guest_run(&guest), 114);
}
END_TEST

static void *stop_soon(void *vm)
{
	usleep(100000);
	lodge_vm_stop(vm);
	return NULL;
}

START_TEST(a_stop_from_another_thread_is_115)
{
	struct lodge_vm *vm;
	pthread_t thread;

	guest_init(&guest, NULL);
	ck_assert_int_eq(lodge_vm_new(&guest.config, &vm, &guest.error), 0);
	pthread_create(&thread, NULL, stop_soon, vm);
	ck_assert_int_eq(lodge_vm_run(vm, &guest.result), 0);
	pthread_join(thread, NULL);
	lodge_vm_free(vm);
	ck_assert_int_eq(guest.result.status, 115);
	ck_assert_int_eq(guest.result.outcome, LODGE_STOPPED);
}
END_TEST

START_TEST(a_stop_before_the_run_ends_it_at_once)
{
	struct lodge_vm *vm;

	guest_init(&guest, NULL);
	ck_assert_int_eq(lodge_vm_new(&guest.config, &vm, &guest.error), 0);
	lodge_vm_stop(vm);
	ck_assert_int_eq(lodge_vm_run(vm, &guest.result), 0);
	lodge_vm_free(vm);
	ck_assert_int_eq(guest.result.status, 115);
}
END_TEST

static void check_signal(int signal)
{
	struct command *command = command_new();
	const char *const argv[] = {command_lodge(), "run", NULL};

	command_start(command, argv);
	ck_assert(command_expect(command, "lodger> ", 20));
	kill(command->pid, signal);
	ck_assert_int_eq(command_finish(command, 20), 115);
	free(command);
}

START_TEST(signals_that_end_programs_are_115)
{
	check_signal(SIGTERM);
	check_signal(SIGINT);
	check_signal(SIGHUP);
}
END_TEST

START_TEST(the_command_leaves_with_the_guests_status)
{
	struct command *command = command_new();

	ck_assert_int_eq(command_call(command, "run", "--append", "run=exit 7", NULL), 7);
	ck_assert_str_eq(command->err, "");
	ck_assert_int_eq(command_call(command, "run", "--append", "run=poweroff", NULL), 0);
	ck_assert_int_eq(command_call(command, "run", "--append", "run=crash triple", NULL), 111);
	ck_assert_ptr_nonnull(strstr(command->err, "lodge: run: triple-fault: "));
	ck_assert_ptr_nonnull(strstr(command->err, "rip"));
	ck_assert_int_eq(
		command_call(command, "run", "--debug-exit", "qemu", "--append", "run=exit 3", NULL), 7);
	ck_assert_int_eq(command_call(command, "run", "--timeout", "0.3", NULL), 114);
	free(command);
}
END_TEST

START_TEST(on_reset_restart_boots_again_until_something_else_ends_it)
{
	struct command *command = command_new();

	command_start(command, (const char *const[]){command_lodge(), "run", "--on-reset", "restart",
				       "--append", "run=reset", NULL});
	ck_assert(command_expect(command, "\nlodger 0", 30)); /* the first one begins the output */
	kill(command->pid, SIGTERM);
	ck_assert_int_eq(command_finish(command, 30), 115);
	free(command);
}
END_TEST

Suite *exit_status_suite(void)
{
	Suite *suite = suite_create("exit status");
	TCase *tcase = tcase_create("rows");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, files_setup, files_teardown);
	tcase_add_test(tcase, power_off_is_0);
	tcase_add_test(tcase, debug_exit_of_0_is_a_power_off);
	tcase_add_test(tcase, debug_exit_codes_are_the_status);
	tcase_add_test(tcase, larger_codes_clamp_to_99_and_are_reported_whole);
	tcase_add_test(tcase, qemu_mode_of_the_debug_exit_port_doubles_and_adds_one);
	tcase_add_test(tcase, reset_is_110_from_each_of_its_registers);
	tcase_add_test(tcase, a_jump_to_the_firmware_is_a_reset);
	tcase_add_test(tcase, triple_fault_is_111_with_registers);
	tcase_add_test(tcase, what_kvm_cannot_run_is_112_with_registers);
	tcase_add_test(tcase, panic_is_113);
	tcase_add_test(tcase, an_unhandled_exception_in_lodger_is_a_panic_with_a_dump);
	tcase_add_test(tcase, timeout_is_114);
	tcase_add_test(tcase, no_guest_loop_outlives_the_timeout);
	tcase_add_test(tcase, a_stop_from_another_thread_is_115);
	tcase_add_test(tcase, a_stop_before_the_run_ends_it_at_once);
	tcase_add_test(tcase, signals_that_end_programs_are_115);
	tcase_add_test(tcase, the_command_leaves_with_the_guests_status);
	tcase_add_test(tcase, on_reset_restart_boots_again_until_something_else_ends_it);
	suite_add_tcase(suite, tcase);
	return suite;
}
