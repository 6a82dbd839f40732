/*
 * From a disk's boot sector: latchkey's BIOS, called by sectors of our own. Each checks what it is promised, and leaves
 * with 42, or with the number of the check that failed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/command.h"
#include "lib/files.h"
#include "lib/guest.h"
#include "lib/guest_code.h"
#include "vm/suites.h"

#define SECTOR  512
#define SECTORS 4096 /* 2 MiB */
#define IMAGE   "boot.img"

#define CHECK_EQ(number, what)    \
	"mov $" #number ", %al\n" \
	"cmp" what "\n jne 1f\n"
#define CHECK_CF(number) "mov $" #number ", %al\n jnc 1f\n"
#define CHECK_NC(number) "mov $" #number ", %al\n jc 1f\n"
#define LEAVE            "mov $42, %al\n 1: out %al, $0xf4\n 2: jmp 2b\n"
/* Segment 0 in all of them. */
#define BEGIN "xor %bx, %bx\n mov %bx, %ds\n mov %bx, %es\n"

static struct guest guest;
static struct lodge_disk disks[2];

/* clang-format off */
/* What the PC's BIOS data area and its vectors say, and the tables that a kernel looks for. */
GUEST_CODE(entry, ".code16",
	"call 3f\n 3: pop %bx\n"
	CHECK_EQ(1, " $(3b - entry_code + 0x7c00), %bx")
	CHECK_EQ(2, "b $0x80, %dl")
	"mov %cs, %bx\n"
	CHECK_EQ(3, " $0, %bx")
	"pushf\n pop %bx\n and $0x200, %bx\n"
	CHECK_EQ(4, " $0x200, %bx")                 /* interrupts are on */
	BEGIN
	CHECK_EQ(5, "w $0x3f8, 0x400")
	CHECK_EQ(6, "w $0x9fc0, 0x40e")
	CHECK_EQ(7, "w $639, 0x413")
	CHECK_EQ(8, "b $2, 0x475")
	"int $0x12\n mov %ax, %bx\n"
	CHECK_EQ(9, " $639, %bx")
	"int $0x11\n mov %ax, %bx\n and $0xe30, %bx\n"
	CHECK_EQ(10, " $0x220, %bx")                /* one serial port, 80 columns in colour */
	"mov $0x9fc0, %bx\n mov %bx, %fs\n"
	CHECK_EQ(11, "b $1, %fs:0")                 /* the EBDA's KiB */
	"mov $0xe000, %bx\n mov %bx, %fs\n"
	CHECK_EQ(12, "l $0x20445352, %fs:0")        /* "RSD " */
	"mov $0xf000, %bx\n mov %bx, %fs\n"
	CHECK_EQ(13, "l $0x5f504d5f, %fs:0")        /* "_MP_" */
	LEAVE);

/* What comes back but for the results: registers, stack pointer and GDTR, and the limits of "unreal mode". */
GUEST_CODE(kept, ".code16",
	BEGIN
	"cli\n movl $0x00017a00, %esp\n"            /* gcc's real-mode code addresses by ESP */
	"lgdtl gdtr - kept_code + 0x7c00\n"
	"mov %cr0, %eax\n or $1, %al\n mov %eax, %cr0\n jmp 3f\n"
	"3: mov $8, %bx\n mov %bx, %fs\n and $0xfe, %al\n mov %eax, %cr0\n jmp 3f\n"
	"3: mov $0x1234, %bx\n mov %bx, %fs\n sti\n"
	"movl $0x11112222, %ebx\n movl $0x33334444, %ecx\n movl $0x55556666, %esi\n movl $0x77778888, %ebp\n"
	"int $0x12\n"
	CHECK_EQ(1, "l $0x11112222, %ebx")
	CHECK_EQ(2, "l $0x33334444, %ecx")
	CHECK_EQ(3, "l $0x55556666, %esi")
	CHECK_EQ(4, "l $0x77778888, %ebp")
	CHECK_EQ(5, "l $0x17a00, %esp")
	"mov %fs, %bx\n"
	CHECK_EQ(6, " $0x1234, %bx")
	"sgdtl 0x600\n movl (gdtr - kept_code + 0x7c02), %ebx\n"
	CHECK_EQ(7, "l %ebx, 0x602")
	"movl $(0xfee00030 - 0x12340), %edx\n movl %fs:(%edx), %ebx\n" /* the local APIC's version */
	"and $0xf0, %bl\n"
	CHECK_EQ(8, "b $0x10, %bl")
	"pushf\n pop %bx\n and $0x200, %bx\n"
	CHECK_EQ(9, " $0x200, %bx")
	LEAVE
	".balign 8\n gdt: .quad 0, 0x00cf93000000ffff\n"
	"gdtr: .word 15\n .long gdt - kept_code + 0x7c00\n");

/* Sector n begins with the word n. */
GUEST_CODE(reading, ".code16",
	BEGIN
	"mov $0x08, %ah\n mov $0x80, %dl\n int $0x13\n"
	CHECK_NC(1)
	CHECK_EQ(2, "b $15, %dh")
	CHECK_EQ(3, " $0x033f, %cx")                /* 4 cylinders of 63 sectors; a part of a fifth is not told of */
	"xor %cx, %cx\n mov %cx, %es\n"
	"mov $0x0203, %ax\n mov $0x1000, %bx\n mov $0x0102, %cx\n mov $0x0180, %dx\n int $0x13\n"
	CHECK_NC(4)
	CHECK_EQ(5, "w $(1008 + 63 + 1), 0x1000")
	CHECK_EQ(6, "w $(1008 + 63 + 3), 0x1400")
	"mov $0x41, %ah\n mov $0x55aa, %bx\n mov $0x80, %dl\n int $0x13\n"
	CHECK_NC(7)
	CHECK_EQ(8, " $0xaa55, %bx")
	"mov $0x42, %ah\n mov $(packet - reading_code + 0x7c00), %si\n int $0x13\n"
	CHECK_NC(9)
	CHECK_EQ(10, "w $4095, 0x3000")             /* the last one */
	"mov $0x42, %ah\n incw (packet - reading_code + 0x7c08)\n int $0x13\n"
	"mov %ah, %bl\n"
	CHECK_CF(11)
	CHECK_EQ(12, "b $4, %bl")
	"mov $0x01, %ah\n int $0x13\n mov %ah, %bl\n"
	CHECK_EQ(13, "b $4, %bl")
	"mov $0x0201, %ax\n mov $1, %cx\n mov $0x82, %dx\n int $0x13\n" /* a third disk */
	CHECK_CF(14)
	"mov $0x0201, %ax\n mov $0x1000, %bx\n mov $2, %cx\n mov $0x81, %dx\n int $0x13\n"
	CHECK_NC(15)                                /* the second one's sector 1 is "one" */
	CHECK_EQ(16, "w $0x6e6f, 0x1000")
	LEAVE
	"packet: .byte 16, 0\n .word 1, 0x3000, 0\n .quad 4095\n");

GUEST_CODE(writing, ".code16",
	BEGIN
	"mov $0x0301, %ax\n mov $0x7c00, %bx\n mov $10, %cx\n mov $0x80, %dx\n int $0x13\n"
	CHECK_NC(1)
	"mov $0x43, %ah\n mov $(to - writing_code + 0x7c00), %si\n int $0x13\n"
	CHECK_NC(2)
	"mov $0x0301, %ax\n mov $2, %cx\n mov $0x81, %dx\n int $0x13\n mov %ah, %bl\n" /* it is read-only */
	CHECK_CF(3)
	CHECK_EQ(4, "b $3, %bl")
	LEAVE
	"to: .byte 16, 0\n .word 1, 0x7c00, 0\n .quad 3000\n");

GUEST_CODE(memory, ".code16",
	BEGIN
	"xorl %ebp, %ebp\n xorl %ebx, %ebx\n"
	"3: movl $0xe820, %eax\n movl $0x534d4150, %edx\n movl $24, %ecx\n mov $0x600, %di\n int $0x15\n"
	"mov %eax, %esi\n"
	CHECK_NC(1)
	CHECK_EQ(2, "l $0x534d4150, %esi")
	"cmpl $1, 0x610\n jne 4f\n addl 0x608, %ebp\n"
	"4: test %ebx, %ebx\n jnz 3b\n"
	CHECK_EQ(3, "l $0x1f9fc00, %ebp")           /* 32 MiB but for what lies between the EBDA and 1 MiB */
	"mov $0xe801, %ax\n int $0x15\n"
	CHECK_NC(4)
	CHECK_EQ(5, " $0x3c00, %cx")
	CHECK_EQ(6, " $0x100, %dx")
	"mov $0x88, %ah\n int $0x15\n mov %ax, %bx\n"
	CHECK_EQ(7, " $0x7c00, %bx")
	"mov $0xc0, %ah\n int $0x15\n"
	CHECK_NC(8)
	CHECK_EQ(9, "b $0xfc, %es:2(%bx)")          /* a PC AT */
	LEAVE);

/* IRQ 0 counts, and calls INT 1Ch. No hlt: the lane now and then interrupts right behind an sti. */
GUEST_CODE(ticking, ".code16",
	BEGIN
	"movw $(4f - ticking_code + 0x7c00), 0x70\n mov %bx, 0x72\n"
	"mov $0, %ah\n int $0x1a\n mov %dx, %si\n"
	"3: mov $0, %ah\n int $0x1a\n sub %si, %dx\n cmp $2, %dx\n jb 3b\n"
	"cmpb $2, (5f - ticking_code + 0x7c00)\n mov $1, %al\n jb 1f\n"
	"mov $0x86, %ah\n mov $1, %cx\n mov $0, %dx\n int $0x15\n" /* 65 ms */
	CHECK_NC(2)
	"mov $4, %ah\n int $0x1a\n"
	CHECK_NC(3)
	CHECK_EQ(4, "b $0x20, %ch")                 /* the century */
	"mov $2, %ah\n int $0x1a\n"
	CHECK_NC(5)
	"cmp $0x60, %dh\n mov $6, %al\n jae 1f\n"
	LEAVE
	"4: incb %cs:(5f - ticking_code + 0x7c00)\n iret\n"
	"5: .byte 0\n");

/* Says "key?", and each key as its character and, for those without one, its scan code; Return ends. */
GUEST_CODE(keys, ".code16",
	BEGIN
	"mov $(6f - keys_code + 0x7c00), %si\n"
	"3: lodsb\n test %al, %al\n jz 4f\n mov $0x0e, %ah\n int $0x10\n jmp 3b\n"
	"4: mov $1, %ah\n int $0x16\n"              /* ZF: none yet, or not taken */
	"mov $0, %ah\n int $0x16\n"
	"cmp $0x1c0d, %ax\n je 5f\n"
	"test %al, %al\n jnz 7f\n mov %ah, %al\n"
	"7: mov $0x0e, %ah\n int $0x10\n jmp 4b\n"
	"5:\n"
	LEAVE
	"6: .asciz \"key?\\r\\n\"\n");

/* The first sector goes; INT 19h then finds none. */
GUEST_CODE(wiping, ".code16",
	BEGIN
	"mov $0x0301, %ax\n mov $0x8000, %bx\n mov $1, %cx\n mov $0x80, %dx\n int $0x13\n int $0x19\n");

GUEST_CODE(giving_up, ".code16", "int $0x18\n");

/* To where there is no code. */
GUEST_CODE(undefined, ".code16",
	BEGIN
	"movw $0x0b0f, 0x600\n movl $0xcafe, %eax\n ljmp $0x60, $0\n");
GUEST_CODE(dividing, ".code16", "xor %bx, %bx\n div %bx\n");
GUEST_CODE(paging, ".code16", "mov %cr0, %eax\n or $0x80000000, %eax\n mov %eax, %cr0\n"); /* #GP: no PE */
GUEST_CODE(halting, ".code16", "cli\n 3: hlt\n jmp 3b\n");
GUEST_CODE(zeroes, ".code16", "ljmp $0x4000, $0\n");
/* clang-format on */

/* Code becomes a disk whose sector n, but for the first, begins with the word n. */
static void make_disk(const uint8_t *code, uint64_t len)
{
	static uint8_t image[SECTORS * SECTOR];
	unsigned i;

	ck_assert_uint_le(len, SECTOR - 2);
	memset(image, 0, sizeof(image));
	for (i = 1; i < SECTORS; i++)
		memcpy(image + i * SECTOR, (uint16_t[]){(uint16_t)i}, 2);
	memcpy(image, code, len);
	memcpy(image + SECTOR - 2, "\x55\xaa", 2);
	files_write(IMAGE, image, sizeof(image));
}

/* Runs it with a second disk, a read-only one whose sector 1 begins with "one". */
static int boot(const uint8_t *code, uint64_t len)
{
	static uint8_t second[64 * SECTOR];

	make_disk(code, len);
	memcpy(second + SECTOR, "one", 3);
	files_write("second.img", second, sizeof(second));
	disks[0] = (struct lodge_disk){.path = IMAGE};
	disks[1] = (struct lodge_disk){.path = "second.img", .read_only = true};
	guest.config.format = LODGE_FORMAT_BOOT_SECTOR;
	guest.config.disks = disks;
	guest.config.disk_count = 2;
	return guest_run(&guest);
}

static void expect_42(const uint8_t *code, uint64_t len)
{
	ck_assert_msg(boot(code, len) == 42, "%d %s%s: %s", guest.result.status, guest.result.message,
		guest.error.text, guest.console);
	ck_assert_str_eq(guest.result.kernel_format, "a disk's boot sector");
}

static void setup(void)
{
	files_setup();
	guest_init(&guest, NULL);
}

START_TEST(boot_sector_finds_a_pc)
{
	expect_42(entry_code, entry_len);
}
END_TEST

START_TEST(callers_registers_and_limits_are_kept)
{
	expect_42(kept_code, kept_len);
}
END_TEST

START_TEST(sectors_are_read_by_chs_and_by_number)
{
	expect_42(reading_code, reading_len);
}
END_TEST

START_TEST(written_sectors_are_in_the_image)
{
	uint8_t got[SECTOR], first[SECTOR];
	int fd;

	expect_42(writing_code, writing_len);
	fd = open(IMAGE, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(pread(fd, first, SECTOR, 0), SECTOR);
	ck_assert_int_eq(pread(fd, got, SECTOR, 9 * SECTOR), SECTOR);
	ck_assert_mem_eq(got, first, SECTOR);
	ck_assert_int_eq(pread(fd, got, SECTOR, 3000 * SECTOR), SECTOR);
	ck_assert_mem_eq(got, first, SECTOR);
	close(fd);
	ck_assert_uint_eq(guest.result.disks[0].writes, 2);
	ck_assert_uint_eq(guest.result.disks[0].flushes, 2);
	ck_assert_uint_eq(guest.result.disks[1].writes, 0);
}
END_TEST

START_TEST(memory_is_told_three_ways)
{
	expect_42(memory_code, memory_len);
}
END_TEST

START_TEST(ticks_count_and_the_clock_tells)
{
	expect_42(ticking_code, ticking_len);
}
END_TEST

START_TEST(keys_come_from_the_console)
{
	const char *const argv[] = {
		command_lodge(), "run", "--boot", "disk", "--disk", "path=" IMAGE, "--timeout", "100", NULL};
	struct command *command = command_new();

	make_disk(keys_code, keys_len);
	command->input = "";
	command->keep_input = true;
	command_start(command, argv);
	ck_assert_msg(command_expect(command, "key?", 60), "%s%s", command->out, command->err);
	command_send(command, "ab\x1b[Bz\r", 7);
	ck_assert_msg(
		command_finish(command, 60) == 42, "%d %s%s", command->status, command->out, command->err);
	/* The arrow's scan code is 'P'. */
	ck_assert_ptr_nonnull(strstr(command->out, "key?\r\nabPz"));
	free(command);
}
END_TEST

static const struct {
	const uint8_t *code;
	const uint64_t *len;
	int status;
	const char *says;
} endings[] = {
	{wiping_code, &wiping_len, 113, "latchkey: the first disk has no boot sector"},
	{giving_up_code, &giving_up_len, 113, "latchkey: the boot sector found nothing to boot"},
	{dividing_code, &dividing_len, 113, "exception 00 at 0000:7c02"},
	{paging_code, &paging_len, 113, "exception 0d at 0000:7c09"},
	{halting_code, &halting_len, 114, ""},
};

START_TEST(sector_that_goes_wrong_ends_by_its_status)
{
	guest.config.timeout_ms = endings[_i].status == 114 ? 500 : 30000;
	ck_assert_msg(boot(endings[_i].code, *endings[_i].len) == endings[_i].status, "%d %s: %s",
		guest.result.status, guest.result.message, guest.console);
	ck_assert_msg(strstr(guest.console, endings[_i].says), "%s", guest.console);
}
END_TEST

/* Where KVM emulates real mode, it may not know the instruction either. */
START_TEST(wild_jump_ends_with_a_dump)
{
	int status = boot(undefined_code, undefined_len);

	if (status == 112) {
		ck_assert(guest.result.has_registers);
		ck_assert_uint_eq(guest.result.registers.cs, 0x60);
		ck_assert_uint_eq(guest.result.registers.rax, 0xcafe);
		ck_assert_mem_eq(guest.result.registers.code, "\x0f\x0b", 2);
	} else {
		ck_assert_int_eq(status, 113);
		ck_assert_msg(strstr(guest.console, "exception 06 at 0060:0000\r\neax 0000cafe"), "%s",
			guest.console);
	}
}
END_TEST

/* Zeroes are an instruction that does no harm; the segment's end is an exception, or its begin. */
START_TEST(jump_into_nothing_is_no_hang)
{
	int status;

	guest.config.timeout_ms = 500;
	status = boot(zeroes_code, zeroes_len);
	ck_assert_msg(status == 113 || status == 114, "%d %s", status, guest.console);
}
END_TEST

Suite *boot_disk_suite(void)
{
	Suite *suite = suite_create("boot disk");
	TCase *tcase = tcase_create("boot-disk");

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, setup, files_teardown);
	tcase_add_test(tcase, boot_sector_finds_a_pc);
	tcase_add_test(tcase, callers_registers_and_limits_are_kept);
	tcase_add_test(tcase, sectors_are_read_by_chs_and_by_number);
	tcase_add_test(tcase, written_sectors_are_in_the_image);
	tcase_add_test(tcase, memory_is_told_three_ways);
	tcase_add_test(tcase, ticks_count_and_the_clock_tells);
	tcase_add_test(tcase, keys_come_from_the_console);
	tcase_add_test(tcase, wild_jump_ends_with_a_dump);
	tcase_add_test(tcase, jump_into_nothing_is_no_hang);
	tcase_add_loop_test(tcase, sector_that_goes_wrong_ends_by_its_status, 0,
		(int)(sizeof(endings) / sizeof(endings[0])));
	return suite;
}
