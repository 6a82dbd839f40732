/* Firmware: latchkey, whose kernels cannot tell that they were not entered at once; and ROMs of other kinds. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/command.h"
#include "lib/elf_builder.h"
#include "lib/files.h"
#include "lib/guest.h"
#include "lib/guest_code.h"
#include "vm/suites.h"

static struct guest guest;

/* What a kernel finds at its entry, as bytes on the console: its registers, and the memory that has its boot data. */

#define OUT_STACK                                            \
	"mov %esp, %esi\n mov %ebp, %ecx\n sub %esp, %ecx\n" \
	"cld\n mov $0x3f8, %edx\n rep outsb\n"
/* The kernel, the initrd at the end of 32 MiB, and all below 1 MiB; not what is right below its stack pointer, where latchkey had its registers. */
#define OUT_MEMORY                                             \
	"mov $0x100000, %esi\n mov $0x300, %ecx\n rep outsb\n" \
	"mov $0x1fff000, %esi\n mov $0x20, %ecx\n rep outsb\n" \
	"mov $0x500, %esi\n mov $0x8a00, %ecx\n rep outsb\n"   \
	"mov $0x9000, %esi\n mov $0x8000, %ecx\n rep outsb\n"  \
	"mov $0x20000, %esi\n mov $0x2000, %ecx\n rep outsb\n" \
	"mov $0x2f000, %esi\n mov $0x5000, %ecx\n rep outsb\n" \
	"mov $0xe0000, %esi\n mov $0x2000, %ecx\n rep outsb\n" \
	"mov $0xf0000, %esi\n mov $0x10000, %ecx\n rep outsb\n"
#define LEAVE "mov $42, %al\n out %al, $0xf4\n 1: jmp 1b\n"

/* clang-format off */
GUEST_CODE(look32, ".code32",
	"push %eax\n mov %esp, %eax\n mov $0x200000, %esp\n push %eax\n pushfl\n"
	"push %ebx\n push %ecx\n push %edx\n push %esi\n push %edi\n push %ebp\n"
	"mov %cr0, %eax\n push %eax\n mov %cr3, %eax\n push %eax\n mov %cr4, %eax\n push %eax\n"
	"mov %cs, %eax\n push %eax\n mov %ss, %eax\n push %eax\n mov %ds, %eax\n push %eax\n"
	"mov %es, %eax\n push %eax\n mov %fs, %eax\n push %eax\n mov %gs, %eax\n push %eax\n"
	"xor %eax, %eax\n str %ax\n push %eax\n sldt %ax\n push %eax\n"
	"push $0\n push $0\n sgdt (%esp)\n push $0\n push $0\n sidt (%esp)\n"
	"mov $0xc0000080, %ecx\n rdmsr\n push %eax\n"
	"mov $0x200000, %ebp\n"
	OUT_STACK OUT_MEMORY LEAVE);

GUEST_CODE(look64, ".code64",
	"push %rax\n mov %rsp, %rax\n mov $0x200000, %esp\n push %rax\n pushfq\n"
	"push %rbx\n push %rcx\n push %rdx\n push %rsi\n push %rdi\n push %rbp\n push %r8\n push %r15\n"
	"mov %cr0, %rax\n push %rax\n mov %cr3, %rax\n push %rax\n mov %cr4, %rax\n push %rax\n"
	"mov %cs, %eax\n push %rax\n mov %ss, %eax\n push %rax\n mov %ds, %eax\n push %rax\n"
	"mov %es, %eax\n push %rax\n mov %fs, %eax\n push %rax\n mov %gs, %eax\n push %rax\n"
	"xor %eax, %eax\n str %ax\n push %rax\n sldt %ax\n push %rax\n"
	"push $0\n push $0\n sgdt (%rsp)\n push $0\n push $0\n sidt (%rsp)\n"
	"mov $0xc0000080, %ecx\n rdmsr\n push %rax\n"
	"mov $0x200000, %ebp\n"
	OUT_STACK OUT_MEMORY LEAVE);
/* clang-format on */

struct look {
	uint8_t bytes[1 << 18];
	size_t len;
};

/* Runs a kernel that looks around: what it saw. */
static void look(const char *firmware, unsigned cpus, struct look *look)
{
	struct lodge_console console = {.in = -1, .out = memfd_create("look", MFD_CLOEXEC)};
	ssize_t len;

	guest_init(&guest, "what it is told");
	guest.config.kernel = "look.elf";
	guest.config.initrd = "initrd";
	guest.config.firmware = firmware;
	guest.config.cpus = cpus;
	guest.config.consoles = &console;
	guest.config.console_count = 1;
	ck_assert_msg(guest_run(&guest) == 42, "%d %s%s", guest.result.status, guest.result.message,
		guest.error.text);
	len = pread(console.out, look->bytes, sizeof(look->bytes), 0);
	ck_assert_int_gt(len, 100);
	look->len = (size_t)len;
	close(console.out);
}

/* The page tables, 6 pages behind the stack and the first 0x8a00 bytes: which entries the CPU has used is its affair. */
#define ACCESSED 0x20

static bool in_page_tables(size_t at, size_t len)
{
	size_t begin = len - 0x10000 - 0x2000 - 0x5000 - 0x2000 - 0x8000;

	return at >= begin && at < begin + 0x6000 && at % 8 == begin % 8;
}

START_TEST(kernel_cannot_tell_latchkey_from_a_direct_boot)
{
	static struct look direct, by_latchkey;
	const struct elf_build build = {
		.segments =
			{{.paddr = ELF_BUILD_LOAD, .bytes = look64_code, .filesz = look64_len, .bss = 9999}},
		.segment_count = 1,
		.entry = ELF_BUILD_LOAD,
	};
	uint8_t file[8192];

	files_write("initrd", "some initrd", 11);
	if (_i == 0)
		elf_write_pvh("look.elf", look32_code, look32_len);
	else
		files_write("look.elf", file, elf_build(&build, file, sizeof(file), NULL));
	look(NULL, 1 + (unsigned)_i, &direct);
	ck_assert_uint_eq(guest.result.firmware_us, 0);
	look("latchkey", 1 + (unsigned)_i, &by_latchkey);
	ck_assert_uint_gt(guest.result.firmware_us, 0);
	ck_assert_uint_gt(guest.result.run_us, guest.result.firmware_us);
	ck_assert_str_eq(guest.result.firmware, "latchkey");
	ck_assert_uint_eq(by_latchkey.len, direct.len);
	for (size_t i = 0; i < direct.len; i++) {
		unsigned ignored = in_page_tables(i, direct.len) ? ACCESSED : 0;

		ck_assert_msg((by_latchkey.bytes[i] | ignored) == (direct.bytes[i] | ignored),
			"byte 0x%zx: 0x%02x, not 0x%02x", i, by_latchkey.bytes[i], direct.bytes[i]);
	}
}
END_TEST

START_TEST(lodger_passes_its_self_tests_by_latchkey)
{
	const struct lodge_disk disk = {.size = 1 << 20};

	files_write("initrd", "some initrd", 11);
	guest_init(&guest, "hello=world run=info;cpus;selftest");
	guest.config.firmware = "latchkey";
	guest.config.initrd = "initrd";
	guest.config.cpus = 3;
	ck_assert_msg(guest_run_with_disk(&guest, &disk) == 0, "%s", guest.console);
	ck_assert_ptr_nonnull(strstr(guest.console, "cpus: 3 of 3 in use"));
	ck_assert_ptr_nonnull(strstr(guest.console, "hello=world"));
	ck_assert_ptr_nonnull(strstr(guest.console, "initrd"));
	ck_assert_ptr_nonnull(strstr(guest.console, " 0 failed"));
}
END_TEST

/* All that lodger learns and tells of the machine, but for the TSC, which is measured. */
START_TEST(lodger_learns_the_same_by_latchkey)
{
	static char direct[sizeof(guest.console)];

	for (unsigned i = 0; i < 2; i++) {
		guest_init(&guest, "run=info");
		guest.config.memory = 4ull << 30; /* a quarter of it above 4 GiB */
		guest.config.overcommit = true;
		guest.config.cpus = 2;
		guest.config.firmware = i ? "latchkey" : NULL;
		ck_assert_msg(guest_run(&guest) == 0, "%s", guest.console);
		ck_assert_ptr_nonnull(strstr(guest.console, "devices"));
		if (!i)
			memcpy(direct, guest.console, sizeof(direct));
	}
	ck_assert_str_eq(guest.console, direct);
}
END_TEST

START_TEST(reset_goes_through_latchkey_again)
{
	guest_init(&guest, "run=reset");
	guest.config.firmware = "latchkey";
	ck_assert_int_eq(guest_run(&guest), 110);
	guest_init(&guest, "run=reset");
	guest.config.firmware = "latchkey";
	guest.config.restart = true;
	guest_start(&guest);
	ck_assert(guest_wait_for(&guest, "the guest kernel", 3));
	lodge_vm_stop(guest.vm);
	ck_assert_int_eq(guest_finish(&guest), 115);
	ck_assert_uint_ge(guest.result.restarts, 2);
	/* Of the first machine, as is the set-up. */
	ck_assert_uint_gt(guest.result.firmware_us, 0);
	ck_assert_uint_lt(guest.result.firmware_us, guest.result.run_us / 2);
}
END_TEST

START_TEST(verbose_run_and_report_name_the_firmware)
{
	struct command *command = command_new();

	ck_assert_int_eq(command_call(command, "run", "-v", "--firmware", "latchkey", "--report", "r.json",
				 "--append", "run=exit 7", NULL),
		7);
	ck_assert_msg(
		strstr(command->err, "(ELF64 with a PVH note, by latchkey)") != NULL, "%s", command->err);
	ck_assert_int_eq(system("grep -q '\"firmware\": \"latchkey\"' r.json && "
				"grep -q '\"firmware_us\": [1-9]' r.json"),
		0);
	free(command);
}
END_TEST

/* Other ROMs: 64 KiB with code at the reset vector's jump target, and what becomes of them. */

#define ROM_SIZE 65536

static void run_rom(const uint8_t *code, size_t len)
{
	static const uint8_t jump[] = {0xe9, 0x0d, 0x00}; /* from fff0 to 0000 */
	static uint8_t rom[ROM_SIZE];

	memset(rom, 0, sizeof(rom));
	if (len)
		memcpy(rom, code, len);
	memcpy(rom + 0xfff0, jump, sizeof(jump));
	files_write("some.rom", rom, sizeof(rom));
	guest_init(&guest, NULL);
	guest.config.firmware = "some.rom";
	guest.config.timeout_ms = 2000;
	guest_run(&guest);
}

/* clang-format off */
GUEST_CODE(rom_state, ".code16",
	"mov %dx, %bp\n"
	"smsw %ax\n cmp $0x10, %ax\n mov $1, %al\n jne 1f\n"
	"mov %cs, %ax\n cmp $0xf000, %ax\n mov $2, %al\n jne 1f\n"
	"mov %ds, %ax\n mov %ss, %dx\n or %dx, %ax\n mov $3, %al\n jnz 1f\n"
	/* The signature that CPUID has; and the CPU is the first one. */
	"mov %bp, %si\n mov $1, %eax\n cpuid\n cmp %si, %ax\n mov $4, %al\n jne 1f\n"
	"mov $0x1b, %ecx\n rdmsr\n test $0x100, %ax\n mov $5, %al\n jz 1f\n"
	/* The ROM cannot be written, its copy can. */
	"movw $0x1234, %cs:0x8000\n cmpw $0, %cs:0x8000\n mov $6, %al\n jne 1f\n"
	"mov $0xf000, %ax\n mov %ax, %ds\n movw $0x1234, 0x8000\n"
	"cmpw $0x1234, 0x8000\n mov $7, %al\n jne 1f\n"
	/* They are the same: jump on in the copy. */
	"mov $rom_state_end - rom_state_code, %bx\n"
	"mov (%bx), %ax\n cmp %cs:(%bx), %ax\n mov $8, %al\n jne 1f\n"
	/* A PC's timer and PIC are there. */
	"mov $0x34, %al\n out %al, $0x43\n mov $16, %al\n out %al, $0x40\n mov $0, %al\n out %al, $0x40\n"
	"out %al, $0x43\n in $0x40, %al\n in $0x40, %al\n cmp $0, %al\n mov $9, %al\n jne 1f\n"
	"mov $42, %al\n"
	"1: out %al, $0xf4\n 2: jmp 2b\n"
	"rom_state_end: .word 0xbeef\n");

/* An invalid opcode, and no vectors for it nor for what follows. */
GUEST_CODE(rom_triple, ".code16", "lidtl %cs:1f - rom_triple_code\n ud2\n 1: .long 0, 0\n");
/* Into nothing: whatever the CPU makes of it. */
GUEST_CODE(rom_wild, ".code16", "ljmp $0x1234, $0x5678\n");
GUEST_CODE(rom_halted, ".code16", "cli\n 1: hlt\n jmp 1b\n");
/* clang-format on */

START_TEST(rom_starts_at_the_reset_state)
{
	run_rom(rom_state_code, rom_state_len);
	ck_assert_msg(guest.result.status == 42, "%d %s%s", guest.result.status, guest.result.message,
		guest.error.text);
	ck_assert_str_eq(guest.result.firmware, "some.rom");
	ck_assert_uint_eq(guest.result.firmware_us, 0);
}
END_TEST

START_TEST(rom_that_triple_faults_gives_status_and_registers)
{
	run_rom(rom_triple_code, rom_triple_len);
	ck_assert_msg(guest.result.status == 111 || guest.result.status == 112, "%d %s", guest.result.status,
		guest.result.message);
	ck_assert(guest.result.has_registers);
	ck_assert_uint_eq(guest.result.registers.cs, 0xf000);
	/* ... and the code, which is the ROM's. On SVM the CPU is reset before KVM tells of the shutdown. */
	ck_assert_uint_ge(guest.result.registers.code_len, 2);
	if (guest.result.registers.rip != 0xfff0)
		ck_assert_mem_eq(guest.result.registers.code, "\x0f\x0b", 2);
}
END_TEST

START_TEST(rom_that_jumps_wild_never_hangs)
{
	run_rom(rom_wild_code, rom_wild_len);
	ck_assert_msg(guest.result.status == 111 || guest.result.status == 112 || guest.result.status == 114,
		"%d %s", guest.result.status, guest.result.message);
	run_rom(rom_halted_code, rom_halted_len);
	ck_assert_int_eq(guest.result.status, 114);
	run_rom(NULL, 0);
	ck_assert_int_ge(guest.result.status, 111);
}
END_TEST

/* Firmware that others have made, where their packages are installed. */
#define QBOOT   "/usr/share/qemu/qboot.rom"
#define SEABIOS "/usr/share/seabios/bios-microvm.bin"

static bool use_firmware(const char *path, const char *append)
{
	if (access(path, R_OK)) {
		printf("SKIPPED: %s is not there\n", path);
		return false;
	}
	guest_init(&guest, append);
	guest.config.firmware = path;
	guest.config.timeout_ms = 90000;
	return true;
}

/* A PVH kernel, which QEMU too puts into memory before qboot starts. */
START_TEST(qboot_starts_lodger)
{
	const struct lodge_disk disk = {.size = 1 << 20};

	if (!use_firmware(QBOOT, "hello=world run=info;cpus;blk fill 0 0 8 5;blk verify 0 0 8 5;poweroff"))
		return;
	files_write("initrd", "some initrd", 11);
	guest.config.initrd = "initrd";
	guest.config.cpus = 2;
	ck_assert_msg(guest_run_with_disk(&guest, &disk) == 0, "%s %s", guest.result.message, guest.console);
	ck_assert_ptr_nonnull(strstr(guest.console, "hello=world"));
	ck_assert_ptr_nonnull(strstr(guest.console, "cpus: 2 of 2 in use"));
	ck_assert_ptr_nonnull(strstr(guest.console, "8 sectors from 0 are right"));
}
END_TEST

/* Its own words come first; what it boots is latchkey's option ROM. */
START_TEST(seabios_starts_lodger)
{
	if (!use_firmware(SEABIOS, "hello=world run=info;cpus;poweroff"))
		return;
	guest.config.cpus = 2;
	ck_assert_msg(guest_run(&guest) == 0, "%s %s", guest.result.message, guest.console);
	ck_assert_ptr_nonnull(strstr(guest.console, "SeaBIOS"));
	ck_assert_ptr_nonnull(strstr(guest.console, "Booting from ROM"));
	ck_assert_ptr_nonnull(strstr(guest.console, "hello=world"));
	ck_assert_ptr_nonnull(strstr(guest.console, "cpus: 2 of 2 in use"));
	ck_assert_uint_gt(guest.result.firmware_us, 0);
}
END_TEST

Suite *firmware_suite(void)
{
	Suite *suite = suite_create("firmware");
	TCase *tcase = tcase_create("latchkey"), *roms = tcase_create("roms"),
	      *others = tcase_create("others"), *volume = tcase_create("volume");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, files_setup, files_teardown);
	tcase_add_test(tcase, lodger_passes_its_self_tests_by_latchkey);
	tcase_add_test(tcase, lodger_learns_the_same_by_latchkey);
	tcase_add_test(tcase, reset_goes_through_latchkey_again);
	tcase_add_test(tcase, verbose_run_and_report_name_the_firmware);
	suite_add_tcase(suite, tcase);
	tcase_set_timeout(roms, 60);
	tcase_add_checked_fixture(roms, files_setup, files_teardown);
	tcase_add_test(roms, rom_starts_at_the_reset_state);
	tcase_add_test(roms, rom_that_triple_faults_gives_status_and_registers);
	tcase_add_test(roms, rom_that_jumps_wild_never_hangs);
	suite_add_tcase(suite, roms);
	/* Nearly all of the time of what follows is the guest's: no sanitizer sees it. */
	tcase_set_tags(others, "guest-time");
	tcase_set_timeout(others, 100);
	tcase_add_checked_fixture(others, files_setup, files_teardown);
	tcase_add_test(others, qboot_starts_lodger);
	tcase_add_test(others, seabios_starts_lodger);
	suite_add_tcase(suite, others);
	tcase_set_tags(volume, "volume guest-time");
	tcase_set_timeout(volume, 120);
	tcase_add_checked_fixture(volume, files_setup, files_teardown);
	tcase_add_loop_test(volume, kernel_cannot_tell_latchkey_from_a_direct_boot, 0, 2);
	suite_add_tcase(suite, volume);
	return suite;
}
