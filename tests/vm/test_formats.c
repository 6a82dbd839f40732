/*
 * Kernels of every format, as small as can be: each checks what its protocol promises at its entry, and leaves
 * with 42, or with the number of the check that failed.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/bzimage_builder.h"
#include "lib/files.h"
#include "lib/guest.h"
#include "vm/suites.h"

/* Machine code for CPUs in another mode than ours, between NAME_start and NAME_end. */
#define GUEST_CODE(name, mode, text)                       \
	extern const uint8_t name##_start[], name##_end[]; \
	asm(".pushsection .rodata\n" mode "\n" #name "_start:\n" text #name "_end:\n.code64\n.popsection\n")

#define CHECK_EQ(number, what)    \
	"mov $" #number ", %al\n" \
	"cmp" what "\n jne 1f\n"
#define LEAVE "mov $42, %al\n 1: out %al, $0xf4\n 2: jmp 2b\n"

static struct guest guest;

/* A kernel with the command line "hello", the initrd "initrd", and 32 MiB. */
static void expect_42(const char *format)
{
	files_write("initrd", "initrd", 6);
	guest.config.append = "hello";
	guest.config.initrd = "initrd";
	guest.config.kernel = "m.kernel";
	ck_assert_msg(guest_run(&guest) == 42, "%s: %d %s%s", format, guest.result.status,
		guest.result.message, guest.error.text);
	ck_assert_str_eq(guest.result.kernel_format, format);
}

/* boot.rst, "64-bit Boot Protocol"; the fields of boot_params by their offsets. */
/* clang-format off */
GUEST_CODE(bzimage, ".code64",
	CHECK_EQ(1, "l $0x53726448, 0x202(%rsi)") /* "HdrS" */
	"mov 0x228(%rsi), %ebx\n"               /* cmd_line_ptr */
	CHECK_EQ(2, "l $0x6c6c6568, (%rbx)")      /* "hell" */
	"mov 0x218(%rsi), %ebx\n"               /* ramdisk_image */
	CHECK_EQ(3, "l $0x74696e69, (%rbx)")      /* "init" */
	CHECK_EQ(4, "l $6, 0x21c(%rsi)")          /* ramdisk_size */
	"mov 0x214(%rsi), %ebx\n"               /* code32_start */
	"lea bzimage_start(%rip), %rcx\n"
	"sub $0x200, %rcx\n"
	CHECK_EQ(5, " %rbx, %rcx")
	"mov %cs, %ebx\n"
	CHECK_EQ(6, " $0x10, %ebx")
	"mov %ss, %ebx\n"
	CHECK_EQ(7, " $0x18, %ebx")
	CHECK_EQ(8, "l $0xdeadbeef, 0x268(%rsi)") /* what the file had there */
	CHECK_EQ(9, "l $0, 0xc0(%rsi)")           /* ext_ramdisk_image */
	LEAVE);
/* clang-format on */

START_TEST(bzimage_finds_its_boot_params)
{
	static uint8_t file[4096];
	size_t size = bzimage_build(bzimage_start, (size_t)(bzimage_end - bzimage_start), file, sizeof(file));

	ck_assert_uint_gt(size, 0);
	files_write("m.kernel", file, size);
	expect_42("bzImage, 64-bit entry");
}
END_TEST

static void setup(void)
{
	files_setup();
	guest_init(&guest, NULL);
}

Suite *formats_suite(void)
{
	Suite *suite = suite_create("formats");
	TCase *tcase = tcase_create("kernels");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, files_teardown);
	tcase_add_test(tcase, bzimage_finds_its_boot_params);
	suite_add_tcase(suite, tcase);
	return suite;
}
