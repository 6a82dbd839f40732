/*
 * Kernels of every format, as small as can be: each checks what its protocol promises at its entry, and leaves
 * with 42, or with the number of the check that failed.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bzimage_builder.h"
#include "lib/compress.h"
#include "lib/files.h"
#include "lib/guest.h"
#include "lib/guest_code.h"
#include "lib/multiboot_builder.h"
#include "vm/suites.h"

#define CHECK_EQ(number, what)    \
	"mov $" #number ", %al\n" \
	"cmp" what "\n jne 1f\n"
#define LEAVE "mov $42, %al\n 1: out %al, $0xf4\n 2: jmp 2b\n"

static struct guest guest;

/* A kernel with the command line "hello", the initrd "initrd", and 32 MiB: entered at once, and by the firmware. */
static void expect_42(const char *format)
{
	static const char *const firmwares[] = {NULL, "latchkey"};

	files_write("initrd", "initrd", 6);
	guest.config.append = "hello";
	guest.config.initrd = "initrd";
	guest.config.kernel = "m.kernel";
	for (unsigned i = 0; i < 2; i++) {
		guest.config.firmware = firmwares[i];
		ck_assert_msg(guest_run(&guest) == 42, "%s: %d %s%s", format, guest.result.status,
			guest.result.message, guest.error.text);
		ck_assert_str_eq(guest.result.kernel_format, format);
	}
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
	"lea bzimage_code(%rip), %rcx\n"
	"sub $0x200, %rcx\n"
	CHECK_EQ(5, " %rbx, %rcx")
	"mov %cs, %ebx\n"
	CHECK_EQ(6, " $0x10, %ebx")
	"mov %ss, %ebx\n"
	CHECK_EQ(7, " $0x18, %ebx")
	CHECK_EQ(8, "l $0xdeadbeef, 0x268(%rsi)") /* what the file had there */
	CHECK_EQ(9, "l $0, 0xc0(%rsi)")           /* ext_ramdisk_image */
	LEAVE);

/* The multiboot specification, "Machine state" and "Boot information format". */
GUEST_CODE(multiboot, ".code32",
	"mov %eax, %ecx\n"
	CHECK_EQ(1, " $0x2badb002, %ecx")
	"mov (%ebx), %ecx\n"                     /* flags: memory, cmdline, modules, map, loader's name */
	"and $0x24d, %ecx\n"
	CHECK_EQ(2, " $0x24d, %ecx")
	"mov 16(%ebx), %esi\n"                   /* cmdline: "m.kernel hello" */
	CHECK_EQ(3, "l $0x656b2e6d, (%esi)")
	CHECK_EQ(4, "l $0x6c656820, 8(%esi)")
	CHECK_EQ(5, "l $1, 20(%ebx)")            /* one module: "initrd" */
	"mov 24(%ebx), %esi\n"
	"mov (%esi), %edi\n"
	CHECK_EQ(6, "l $0x74696e69, (%edi)")
	"add $6, %edi\n"
	CHECK_EQ(7, " %edi, 4(%esi)")
	CHECK_EQ(8, "l $639, 4(%ebx)")           /* KiB below 1 MiB, and above */
	CHECK_EQ(9, "l $0x7c00, 8(%ebx)")
	"mov 48(%ebx), %esi\n"                   /* the map: RAM from 0 on */
	CHECK_EQ(10, "l $20, (%esi)")
	CHECK_EQ(11, "l $0x9fc00, 12(%esi)")
	"mov 64(%ebx), %esi\n"
	CHECK_EQ(12, "l $0x67646f6c, (%esi)")    /* "lodg" */
	"mov %cr0, %ecx\n"
	"and $0x80000001, %ecx\n"
	CHECK_EQ(13, " $1, %ecx")                 /* protected mode, no paging */
	"mov $0x34, %al\n"                       /* a PIT: its counter 0, loaded with 16, reads no 0xff */
	"out %al, $0x43\n mov $16, %al\n out %al, $0x40\n mov $0, %al\n out %al, $0x40\n"
	"out %al, $0x43\n in $0x40, %al\n in $0x40, %al\n mov %al, %cl\n"
	CHECK_EQ(14, "b $0, %cl")
	LEAVE);

/* An entry as from a boot sector's far jump to 1000:0000. */
GUEST_CODE(flat, ".code16",
	"mov %cs, %bx\n"
	CHECK_EQ(1, " $0x1000, %bx")
	"mov %ds, %bx\n"
	CHECK_EQ(2, " $0x1000, %bx")
	"mov %es, %bx\n"
	CHECK_EQ(3, " $0x1000, %bx")
	"mov %ss, %bx\n"
	CHECK_EQ(4, " $0x1000, %bx")
	CHECK_EQ(5, " $0xfffe, %sp")
	"call 3f\n 3: pop %bx\n"
	CHECK_EQ(6, " $(3b - flat_code), %bx")
	CHECK_EQ(7, "l $0x676f6f64, flat_text - flat_code") /* its own data, by DS */
	"smsw %bx\n and $1, %bx\n"
	CHECK_EQ(8, " $0, %bx")
	"mov $0x34, %al\n"
	"out %al, $0x43\n mov $16, %al\n out %al, $0x40\n mov $0, %al\n out %al, $0x40\n"
	"out %al, $0x43\n in $0x40, %al\n in $0x40, %al\n mov %al, %cl\n"
	CHECK_EQ(9, "b $0, %cl")                             /* a PIT */
	"xor %bx, %bx\n mov %bx, %es\n"
	"movw $(4f - flat_code), %es:0x20\n mov %cs, %es:0x22\n"
	/* Its interrupt has vector 8, as from a BIOS. No hlt: the lane now and then interrupts right behind an sti. */
	"sti\n 5: test %bx, %bx\n jz 5b\n cli\n"
	LEAVE
	"4: mov $1, %bx\n iret\n"
	"flat_text: .ascii \"doog\"\n");

/* gzip's magic, which means something here too. */
GUEST_CODE(flat_gzip, ".code16",
	".byte 0x1f, 0x8b, 0x08\n"               /* pop %ds; mov (%bx,%si), %cx */
	LEAVE);
/* clang-format on */

START_TEST(bzimage_finds_its_boot_params)
{
	static uint8_t file[4096];
	size_t size = bzimage_build(bzimage_code, bzimage_len, file, sizeof(file));

	ck_assert_uint_gt(size, 0);
	files_write("m.kernel", file, size);
	expect_42("bzImage, 64-bit entry");
}
END_TEST

static const struct {
	unsigned bits; /* of the ELF file; 0: none */
	const char *format;
} multiboots[] = {
	{32, "ELF32 with a multiboot header"},
	{64, "ELF64 with a multiboot header"},
	{0, "multiboot, by the addresses in its header"},
};

START_TEST(multiboot_kernel_finds_its_information)
{
	const size_t len = multiboot_len;
	uint8_t file[4096];
	size_t size;

	if (multiboots[_i].bits)
		size = multiboot_build_elf(multiboots[_i].bits, multiboot_code, len, file, sizeof(file));
	else
		size = multiboot_build_raw(multiboot_code, len, file, sizeof(file));
	ck_assert_uint_gt(size, 0);
	files_write("m.kernel", file, size);
	expect_42(multiboots[_i].format);
}
END_TEST

static const struct {
	const char *multiboot, *bzimage, *lodger;
} compressed[] = {
	[COMPRESS_GZIP] = {"ELF32 with a multiboot header, gzip", "bzImage, 64-bit entry, gzip",
		"ELF64 with a PVH note, gzip"},
	[COMPRESS_XZ] = {"ELF32 with a multiboot header, xz", "bzImage, 64-bit entry, xz",
		"ELF64 with a PVH note, xz"},
	[COMPRESS_ZSTD] = {"ELF32 with a multiboot header, zstd", "bzImage, 64-bit entry, zstd",
		"ELF64 with a PVH note, zstd"},
};

/* What is in a compressed file is entered as if it came alone. */
START_TEST(compressed_kernel_finds_what_it_is_promised)
{
	static uint8_t file[4096];
	size_t size = multiboot_build_elf(32, multiboot_code, multiboot_len, file, sizeof(file));

	files_write("multiboot", file, size);
	ck_assert_int_eq(compress_file(_i, "multiboot", "m.kernel"), 0);
	expect_42(compressed[_i].multiboot);
	size = bzimage_build(bzimage_code, bzimage_len, file, sizeof(file));
	files_write("bzimage", file, size);
	ck_assert_int_eq(compress_file(_i, "bzimage", "m.kernel"), 0);
	expect_42(compressed[_i].bzimage);
}
END_TEST

START_TEST(compressed_lodger_boots)
{
	const char *elf = getenv("LODGER");

	ck_assert_msg(elf && !compress_file(_i, elf, "lodger"), "$LODGER: %s", elf);
	guest.config.kernel = "lodger";
	guest.config.append = "run=info;exit 42";
	ck_assert_msg(guest_run(&guest) == 42, "%d %s%s", guest.result.status, guest.result.message,
		guest.error.text);
	ck_assert_str_eq(guest.result.kernel_format, compressed[_i].lodger);
}
END_TEST

START_TEST(flat_image_that_looks_compressed_is_code)
{
	files_write("flat.gz", flat_gzip_code, flat_gzip_len);
	guest.config.kernel = "flat.gz";
	guest.config.format = LODGE_FORMAT_FLAT;
	ck_assert_msg(guest_run(&guest) == 42, "%d %s%s", guest.result.status, guest.result.message,
		guest.error.text);
	ck_assert_str_eq(guest.result.kernel_format, "flat 16-bit image");
}
END_TEST

START_TEST(flat_image_is_entered_in_real_mode)
{
	/* Long enough to lie where other kernels have their command line and device tree. */
	static uint8_t file[0x40000];

	memset(file, 0x90, sizeof(file));
	memcpy(file, flat_code, flat_len);
	files_write("flat.bin", file, sizeof(file));
	guest.config.kernel = "flat.bin";
	guest.config.format = LODGE_FORMAT_FLAT;
	ck_assert_msg(guest_run(&guest) == 42, "%d %s%s", guest.result.status, guest.result.message,
		guest.error.text);
	ck_assert_str_eq(guest.result.kernel_format, "flat 16-bit image");
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
	tcase_add_loop_test(
		tcase, multiboot_kernel_finds_its_information, 0, sizeof(multiboots) / sizeof(multiboots[0]));
	tcase_add_loop_test(tcase, compressed_kernel_finds_what_it_is_promised, 0, COMPRESS_FORMATS);
	tcase_add_loop_test(tcase, compressed_lodger_boots, 0, COMPRESS_FORMATS);
	tcase_add_test(tcase, flat_image_is_entered_in_real_mode);
	tcase_add_test(tcase, flat_image_that_looks_compressed_is_code);
	suite_add_tcase(suite, tcase);
	return suite;
}
