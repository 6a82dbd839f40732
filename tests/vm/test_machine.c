/* The machine's sizes: memory around the hole, many CPUs, the kernels' two ways in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/elf_builder.h"
#include "lib/files.h"
#include "lib/guest.h"
#include "vm/suites.h"

static struct guest guest;

static const struct {
	uint64_t mib;
	const char *says; /* what lodger's info tells of it */
} memory_sizes[] = {
	{16, NULL},
	{128, NULL},
	{3072, NULL},
	{3073, "000100000000-"},
	{5120, "000100000000-"},
	{65536, "000100000000-00103fffffff"},
};

START_TEST(memory_of_every_size_is_found_and_works)
{
	guest_init(&guest, "run=info;selftest memory");
	guest.config.memory = memory_sizes[_i].mib << 20;
	guest.config.overcommit = true;
	ck_assert_msg(guest_run(&guest) == 0, "%llu MiB: status %d: %s%s\n%s",
		(unsigned long long)memory_sizes[_i].mib, guest.result.status, guest.result.message,
		guest.error.text, guest.console);
	if (memory_sizes[_i].says)
		ck_assert_msg(strstr(guest.console, memory_sizes[_i].says) != NULL, "%s", guest.console);
}
END_TEST

START_TEST(guest_memory_is_only_reserved)
{
	guest_init(&guest, "run=exit 0");
	guest.config.memory = (uint64_t)1 << 30;
	ck_assert_int_eq(guest_run(&guest), 0);
	ck_assert_uint_lt(guest.result.peak_rss, (uint64_t)256 << 20);
}
END_TEST

static const unsigned cpu_counts[] = {1, 2, 4, 16, 64};

START_TEST(all_cpus_start_and_answer)
{
	char want[64];

	guest_init(&guest, "run=info;cpus;selftest cpus");
	guest.config.cpus = cpu_counts[_i];
	ck_assert_msg(
		guest_run(&guest) == 0, "%s%s\n%s", guest.result.message, guest.error.text, guest.console);
	snprintf(want, sizeof(want), "cpus     %u, %u of them in use", cpu_counts[_i], cpu_counts[_i]);
	ck_assert_msg(strstr(guest.console, want) != NULL, "%s", guest.console);
	snprintf(want, sizeof(want), "cpus: %u of %u in use", cpu_counts[_i], cpu_counts[_i]);
	ck_assert_msg(strstr(guest.console, want) != NULL, "%s", guest.console);
	ck_assert_ptr_nonnull(strstr(guest.console, cpu_counts[_i] == 1 ? "skip cpus-ping" : "ok cpus-ping"));
}
END_TEST

START_TEST(acpi_is_there_unless_it_is_not_wanted)
{
	/* mov eax,[0xe0000]; cmp eax,"RSD "; sete al; inc al; out 0xf4,al */
	static const uint8_t find_rsdp[] = {0xa1, 0x00, 0x00, 0x0e, 0x00, 0x3d, 'R', 'S', 'D', ' ', 0x0f,
		0x94, 0xc0, 0xfe, 0xc0, 0xe6, 0xf4, 0xf4};

	elf_write_pvh("rsdp.elf", find_rsdp, sizeof(find_rsdp));
	guest_init(&guest, NULL);
	guest.config.kernel = "rsdp.elf";
	ck_assert_int_eq(guest_run(&guest), 2);
	guest.config.no_acpi = true;
	ck_assert_int_eq(guest_run(&guest), 1);
}
END_TEST

START_TEST(a_pit_is_there_when_asked_for)
{
	/*
	 * Channel 0 counts down from 16, so that its high byte reads 0: mov al,0x34; out 0x43,al;
	 * mov al,16; out 0x40,al; mov al,0; out 0x40,al; mov al,0; out 0x43,al; in al,0x40; in al,0x40;
	 * cmp al,0xff; sete al; inc al; out 0xf4,al
	 */
	static const uint8_t read_pit[] = {0xb0, 0x34, 0xe6, 0x43, 0xb0, 0x10, 0xe6, 0x40, 0xb0, 0x00, 0xe6,
		0x40, 0xb0, 0x00, 0xe6, 0x43, 0xe4, 0x40, 0xe4, 0x40, 0x3c, 0xff, 0x0f, 0x94, 0xc0, 0xfe,
		0xc0, 0xe6, 0xf4, 0xf4};

	elf_write_pvh("pit.elf", read_pit, sizeof(read_pit));
	guest_init(&guest, NULL);
	guest.config.kernel = "pit.elf";
	ck_assert_int_eq(guest_run(&guest), 2); /* all ones: nobody claims the port */
	ck_assert_uint_gt(guest_count(guest.result.devices, guest.result.device_count, "unclaimed"), 0);
	guest.config.pit = true;
	ck_assert_int_eq(guest_run(&guest), 1);
	ck_assert_uint_eq(guest_count(guest.result.devices, guest.result.device_count, "unclaimed"), 0);
}
END_TEST

START_TEST(msrs_are_as_firmware_leaves_them)
{
	/*
	 * mov ecx,0x2ff; rdmsr; cmp eax,0x806; jne bad; mov ecx,0x1a0; rdmsr; test al,1; jz bad;
	 * mov al,7; out 0xf4,al; bad: mov al,1; out 0xf4,al
	 */
	static const uint8_t code[] = {0xb9, 0xff, 0x02, 0x00, 0x00, 0x0f, 0x32, 0x3d, 0x06, 0x08, 0x00, 0x00,
		0x75, 0x0f, 0xb9, 0xa0, 0x01, 0x00, 0x00, 0x0f, 0x32, 0xa8, 0x01, 0x74, 0x04, 0xb0, 0x07,
		0xe6, 0xf4, 0xb0, 0x01, 0xe6, 0xf4, 0xf4};

	elf_write_pvh("msrs.elf", code, sizeof(code));
	guest_init(&guest, NULL);
	guest.config.kernel = "msrs.elf";
	guest.config.cpus = 2;
	ck_assert_int_eq(guest_run(&guest), 7);
}
END_TEST

/* The host's own flag for a TSC of one rate. */
START_TEST(the_tsc_rate_is_told_where_it_is_constant)
{
	static char cpuinfo[65536];
	FILE *file = fopen("/proc/cpuinfo", "r");

	ck_assert_ptr_nonnull(file);
	cpuinfo[fread(cpuinfo, 1, sizeof(cpuinfo) - 1, file)] = '\0';
	fclose(file);
	guest_init(&guest, "run=info");
	ck_assert_int_eq(guest_run(&guest), 0);
	ck_assert_msg(strstr(guest.console,
			      strstr(cpuinfo, " nonstop_tsc") ? "CPUID 0x40000010" : "KVM clock") != NULL,
		"%s", guest.console);
}
END_TEST

START_TEST(a_kernel_without_a_pvh_note_is_entered_in_64_bit_mode)
{
	/*
	 * test rsi,rsi; jz bad; cmp dword [rsi+0x202],"HdrS"; jne bad; mov eax,cs; cmp eax,0x10; jne bad;
	 * mov r8,[rip+0]: only 64-bit mode has that; mov al,21; out 0xf4,al; bad: mov al,1; out 0xf4,al
	 */
	static const uint8_t code[] = {0x48, 0x85, 0xf6, 0x74, 0x20, 0x81, 0xbe, 0x02, 0x02, 0x00, 0x00, 'H',
		'd', 'r', 'S', 0x75, 0x14, 0x8c, 0xc8, 0x83, 0xf8, 0x10, 0x75, 0x0d, 0x4c, 0x8b, 0x05, 0x00,
		0x00, 0x00, 0x00, 0xb0, 0x15, 0xe6, 0xf4, 0xeb, 0xfe, 0xb0, 0x01, 0xe6, 0xf4, 0xeb, 0xfe};

	const struct elf_build build = {
		.segments = {{.paddr = ELF_BUILD_LOAD, .bytes = code, .filesz = sizeof(code), .bss = 4096}},
		.segment_count = 1,
		.entry = ELF_BUILD_LOAD,
	};
	uint8_t file[8192];
	size_t size = elf_build(&build, file, sizeof(file), NULL);

	ck_assert_uint_gt(size, 0);
	files_write("plain.elf", file, size);
	guest_init(&guest, NULL);
	guest.config.kernel = "plain.elf";
	ck_assert_int_eq(guest_run(&guest), 21);
	ck_assert_str_eq(guest.result.kernel_format, "ELF64, 64-bit entry");
}
END_TEST

START_TEST(the_initrd_and_the_command_line_reach_the_guest)
{
	files_write("initrd", "some initrd", 11);
	guest_init(&guest, "hello=world run=info");
	guest.config.initrd = "initrd";
	ck_assert_msg(guest_run(&guest) == 0, "%s", guest.console);
	ck_assert_msg(strstr(guest.console, "hello=world") != NULL, "%s", guest.console);
	ck_assert_msg(strstr(guest.console, "initrd") != NULL, "%s", guest.console);
}
END_TEST

Suite *machine_suite(void)
{
	Suite *suite = suite_create("machine");
	TCase *tcase = tcase_create("sizes");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, files_setup, files_teardown);
	tcase_add_loop_test(tcase, memory_of_every_size_is_found_and_works, 0,
		sizeof(memory_sizes) / sizeof(memory_sizes[0]));
	tcase_add_test(tcase, guest_memory_is_only_reserved);
	tcase_add_loop_test(tcase, all_cpus_start_and_answer, 0, sizeof(cpu_counts) / sizeof(cpu_counts[0]));
	tcase_add_test(tcase, acpi_is_there_unless_it_is_not_wanted);
	tcase_add_test(tcase, a_pit_is_there_when_asked_for);
	tcase_add_test(tcase, msrs_are_as_firmware_leaves_them);
	tcase_add_test(tcase, the_tsc_rate_is_told_where_it_is_constant);
	tcase_add_test(tcase, a_kernel_without_a_pvh_note_is_entered_in_64_bit_mode);
	tcase_add_test(tcase, the_initrd_and_the_command_line_reach_the_guest);
	suite_add_tcase(suite, tcase);
	return suite;
}
