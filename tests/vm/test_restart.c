/* A guest that is started anew: by its own reset, or by lodge_vm_reset(). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/elf_builder.h"
#include "lib/files.h"
#include "lib/guest.h"
#include "vm/suites.h"

#define STORM 50

static struct guest guest;

/*
 * Leaves with 1 if its memory is not fresh; prints an 'R' and resets. cmp dword [0x800000],0x600df00d; je bad;
 * mov dword [0x800000],0x600df00d; mov dx,0x3f8; mov al,'R'; out dx,al; mov al,0xfe; out 0x64,al; 1: hlt; jmp 1b;
 * bad: mov al,1; out 0xf4,al; jmp bad
 */
static const uint8_t reset_at_once[] = {0x81, 0x3d, 0x00, 0x00, 0x80, 0x00, 0x0d, 0xf0, 0x0d, 0x60, 0x74,
	0x18, 0xc7, 0x05, 0x00, 0x00, 0x80, 0x00, 0x0d, 0xf0, 0x0d, 0x60, 0x66, 0xba, 0xf8, 0x03, 0xb0, 'R',
	0xee, 0xb0, 0xfe, 0xe6, 0x64, 0xf4, 0xeb, 0xfd, 0xb0, 0x01, 0xe6, 0xf4, 0xeb, 0xfa};

static void use_storm(void)
{
	elf_write_pvh("storm.elf", reset_at_once, sizeof(reset_at_once));
	guest_init(&guest, NULL);
	guest.config.kernel = "storm.elf";
	guest.config.restart = true;
	guest.config.timeout_ms = 100000;
}

START_TEST(a_reset_storm_leaks_nothing_and_counts_all)
{
	const struct lodge_disk disk = {.size = 1 << 20};
	unsigned fds = files_open_fds(), mappings;

	use_storm();
	guest.config.cpus = 1 + 3 * (unsigned)_i;
	guest.config.disks = &disk;
	guest.config.disk_count = 1;
	guest_start(&guest);
	unlink("storm.elf"); /* nothing is opened again by its path */
	ck_assert(guest_wait_for(&guest, "R", 10));
	mappings = files_mappings();
	ck_assert(guest_wait_for(&guest, "R", STORM));
	ck_assert_uint_le(files_mappings(), mappings + 40);
	lodge_vm_stop(guest.vm);
	ck_assert_msg(guest_finish(&guest) == 115, "%d %s", guest.result.status, guest.result.message);
	ck_assert_uint_ge(guest.result.restarts, STORM - 1);
	ck_assert_uint_ge(guest.result.console_bytes_out, guest.result.restarts);
	/* Each machine's, of which the last may not have come to it. */
	ck_assert_uint_ge(guest_count(guest.result.devices, guest.result.device_count, "serial"),
		guest.result.restarts);
	ck_assert_uint_eq(guest.result.disk_count, 1);
	ck_assert_uint_eq(files_open_fds(), fds);
}
END_TEST

START_TEST(a_new_chip_gets_what_the_old_one_had_no_room_for)
{
	/*
	 * mov dx,0x3f8; mov al,'R'; out dx,al; mov dx,0x3fd; 1: in al,dx; test al,1; jz 1b; mov al,0xfe;
	 * out 0x64,al; 2: hlt; jmp 2b
	 */
	static const uint8_t reset_at_a_byte[] = {0x66, 0xba, 0xf8, 0x03, 0xb0, 'R', 0xee, 0x66, 0xba, 0xfd,
		0x03, 0xec, 0xa8, 0x01, 0x74, 0xfb, 0xb0, 0xfe, 0xe6, 0x64, 0xf4, 0xeb, 0xfd};
	int in[2];

	elf_write_pvh("byte.elf", reset_at_a_byte, sizeof(reset_at_a_byte));
	guest_init(&guest, NULL);
	guest.config.kernel = "byte.elf";
	guest.config.restart = true;
	ck_assert_int_eq(pipe(in), 0);
	guest.captured.in = in[0];
	guest_start(&guest);
	ck_assert_int_eq(write(in[1], "12345678", 8), 8); /* the receiver holds one of them */
	ck_assert(guest_wait_for(&guest, "R", 9));
	lodge_vm_stop(guest.vm);
	ck_assert_int_eq(guest_finish(&guest), 115);
	ck_assert_uint_eq(guest.result.restarts, 8);
	ck_assert_uint_eq(guest.result.console_bytes_in, 8);
	close(in[0]);
	close(in[1]);
}
END_TEST

START_TEST(disks_and_console_live_on)
{
	static const char first[] = "blk fill 0 0 8 5\nreset\n", second[] = "blk verify 0 0 8 5\nexit 3\n";
	const struct lodge_disk disk = {.size = 1 << 20};
	int in[2];

	guest_init(&guest, NULL);
	ck_assert_int_eq(pipe(in), 0);
	guest.captured.in = in[0];
	guest.config.restart = true;
	guest.config.disks = &disk;
	guest.config.disk_count = 1;
	guest_start(&guest);
	ck_assert(guest_wait_for(&guest, "lodger: ready", 1));
	ck_assert_int_gt(write(in[1], first, sizeof(first) - 1), 0);
	ck_assert(guest_wait_for(&guest, "lodger: ready", 2));
	ck_assert_int_gt(write(in[1], second, sizeof(second) - 1), 0);
	ck_assert_msg(guest_finish(&guest) == 3, "%s", guest.console);
	ck_assert_msg(strstr(guest.console, "8 sectors from 0 are right") != NULL, "%s", guest.console);
	ck_assert_uint_eq(guest.result.restarts, 1);
	ck_assert_uint_eq(guest.result.disks[0].writes, 1);
	ck_assert_uint_eq(guest.result.disks[0].reads, 1);
	close(in[0]);
	close(in[1]);
}
END_TEST

START_TEST(without_restart_a_reset_ends_the_run)
{
	guest_init(&guest, "run=reset");
	ck_assert_int_eq(guest_run(&guest), 110);
	ck_assert_uint_eq(guest.result.restarts, 0);
}
END_TEST

START_TEST(a_vm_is_reset_from_outside_also_while_paused)
{
	static struct lodge_stats first, all;
	struct lodge_vm *vm;

	guest_init(&guest, NULL);
	guest.config.cpus = 2;
	ck_assert_int_eq(lodge_vm_new(&guest.config, &vm, &guest.error), 0);
	ck_assert_int_eq(lodge_vm_reset(vm), -ESRCH);
	lodge_vm_free(vm);
	guest_start(&guest);
	ck_assert(guest_wait_for(&guest, "lodger: ready", 1));
	ck_assert_int_eq(lodge_vm_stats(guest.vm, &first), 0);
	ck_assert_int_eq(lodge_vm_reset(guest.vm), 0);
	ck_assert(guest_wait_for(&guest, "lodger: ready", 2));
	ck_assert_int_eq(lodge_vm_pause(guest.vm), 0);
	ck_assert_int_eq(lodge_vm_reset(guest.vm), 0);
	ck_assert(guest_wait_for(&guest, "lodger: ready", 3));
	ck_assert_int_eq(lodge_vm_stats(guest.vm, &all), 0);
	ck_assert_uint_gt(2 * all.vcpus[0].exits, 3 * first.vcpus[0].exits); /* of all three */
	lodge_vm_stop(guest.vm);
	ck_assert_int_eq(guest_finish(&guest), 115);
	ck_assert_uint_eq(guest.result.restarts, 2);
}
END_TEST

START_TEST(a_guest_that_resets_under_a_pause_comes_up_paused)
{
	off_t size;

	use_storm();
	guest_start(&guest);
	for (int i = 0; i < 30; i++) {
		ck_assert_int_eq(lodge_vm_pause(guest.vm), 0);
		ck_assert(guest_stands_still(&guest));
		size = lseek(guest.captured.out, 0, SEEK_END);
		ck_assert_int_eq(lodge_vm_resume(guest.vm), 0);
		while (lseek(guest.captured.out, 0, SEEK_END) == size)
			usleep(1000);
		usleep((useconds_t)i * 1000);
	}
	lodge_vm_stop(guest.vm);
	ck_assert_int_eq(guest_finish(&guest), 115);
}
END_TEST

START_TEST(a_kernel_that_is_gone_ends_the_run_as_a_bad_image)
{
	use_storm();
	guest_start(&guest);
	ck_assert_int_eq(truncate("storm.elf", 0), 0);
	ck_assert_int_eq(guest_finish(&guest), 102);
	ck_assert_msg(strstr(guest.result.message, "anew: storm.elf") != NULL, "%s", guest.result.message);
	ck_assert_int_eq(guest.result.outcome, LODGE_IMAGE);
}
END_TEST

static void *stop_in_a_moment(void *moment)
{
	usleep(*(unsigned *)moment);
	lodge_vm_stop(guest.vm);
	return NULL;
}

START_TEST(a_stop_is_never_lost_in_a_restart)
{
	pthread_t thread;

	for (int i = 0; i < 40; i++) {
		unsigned moment = (unsigned)i * 1700;

		use_storm();
		guest.config.cpus = 1 + (unsigned)i % 2;
		guest.config.timeout_ms = i % 4 == 3 ? 1 + moment / 1000 : 60000;
		guest_start(&guest);
		if (i % 4 != 3)
			pthread_create(&thread, NULL, stop_in_a_moment, &moment);
		if (i % 4 != 3)
			pthread_join(thread, NULL);
		ck_assert_int_eq(guest_finish(&guest), i % 4 == 3 ? 114 : 115);
	}
}
END_TEST

static void *control_until_the_end(void *seed)
{
	unsigned moment = *(unsigned *)seed;

	do {
		moment = moment * 1103515245 + 12345;
		usleep(moment >> 16 & 0x7fff);
		switch (moment >> 8 & 3) {
		case 0:
			lodge_vm_pause(guest.vm);
			break;
		case 1:
			lodge_vm_reset(guest.vm);
			break;
		case 2:
			lodge_vm_press_power(guest.vm);
			if (guest.config.append)
				lodge_vm_nmi(guest.vm);
			break;
		default:
			break;
		}
	} while (lodge_vm_resume(guest.vm) != -ESRCH);
	return NULL;
}

START_TEST(control_from_several_threads_races_with_restarts)
{
	static unsigned seeds[] = {1, 2, 3};
	pthread_t threads[3];

	use_storm();
	/* An NMI is the end of a guest that has no IDT. */
	guest.config.append = _i ? "with NMIs" : NULL;
	guest.config.cpus = 2;
	guest_start(&guest);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, control_until_the_end, &seeds[i]);
	if (_i)
		usleep(300000);
	else
		ck_assert(guest_wait_for(&guest, "R", 30));
	lodge_vm_stop(guest.vm);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	guest_finish(&guest);
	ck_assert(guest.result.status == 115 || (_i && guest.result.status == 111));
}
END_TEST

Suite *restart_suite(void)
{
	Suite *suite = suite_create("restart");
	TCase *tcase = tcase_create("restarts");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, files_setup, files_teardown);
	tcase_add_loop_test(tcase, a_reset_storm_leaks_nothing_and_counts_all, 0, 2);
	tcase_add_test(tcase, a_new_chip_gets_what_the_old_one_had_no_room_for);
	tcase_add_test(tcase, disks_and_console_live_on);
	tcase_add_test(tcase, without_restart_a_reset_ends_the_run);
	tcase_add_test(tcase, a_vm_is_reset_from_outside_also_while_paused);
	tcase_add_test(tcase, a_guest_that_resets_under_a_pause_comes_up_paused);
	tcase_add_test(tcase, a_kernel_that_is_gone_ends_the_run_as_a_bad_image);
	tcase_add_test(tcase, a_stop_is_never_lost_in_a_restart);
	tcase_add_loop_test(tcase, control_from_several_threads_races_with_restarts, 0, 2);
	suite_add_tcase(suite, tcase);
	return suite;
}
