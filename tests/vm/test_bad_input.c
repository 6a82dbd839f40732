/* Bad input gets one clear line on stderr, the status of its row, and costs nobody a byte. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/bzimage_builder.h"
#include "lib/command_fixture.h"
#include "lib/compress.h"
#include "lib/elf_builder.h"
#include "lib/files.h"
#include "lib/multiboot_builder.h"
#include "vm/suites.h"

/* ELF kernels that are well-formed, but ask for what cannot be. */
static void make_bad_kernels(void)
{
	static const uint8_t nothing[] = {0xf4};
	const struct elf_build overlap = {
		.segments = {{.paddr = 0x100000, .bytes = nothing, .filesz = 1, .bss = 8192},
			{.paddr = 0x101000, .bytes = nothing, .filesz = 1}},
		.segment_count = 2,
		.entry = 0x100000,
	};
	struct elf_build one = {
		.segments = {{.paddr = 0x100000, .bytes = nothing, .filesz = 1}},
		.segment_count = 1,
		.entry = 0x100000,
	};
	uint8_t file[4096];

	files_write("overlap.elf", file, elf_build(&overlap, file, sizeof(file), NULL));
	files_write("cut.elf", file, elf_build(&one, file, sizeof(file), NULL) - 1);
	one.segments[0].paddr = one.entry = 0x40000000;
	files_write("outside.elf", file, elf_build(&one, file, sizeof(file), NULL));
	one.segments[0].paddr = 0x100000;
	files_write("nowhere.elf", file, elf_build(&one, file, sizeof(file), NULL));
	one.elf32 = true;
	one.entry = 0x100000;
	files_write("plain32.elf", file, elf_build(&one, file, sizeof(file), NULL));
}

/* A good file with one field overwritten; size 0: none. */
static void write_with(
	const char *path, const uint8_t *good, size_t len, unsigned offset, uint64_t value, unsigned size)
{
	uint8_t file[4096];

	memcpy(file, good, len);
	memcpy(file + offset, &value, size);
	files_write(path, file, len);
}

static void make_bad_bzimages(void)
{
	uint8_t good[4096];
	size_t len = bzimage_build("\xf4", 1, good, sizeof(good));

	write_with("good.bz", good, len, 0, 0, 0);
	write_with("old.bz", good, len, 0x206, 0x20b, 2);
	write_with("narrow.bz", good, len, 0x236, 0, 2);
	write_with("cut.bz", good, len - 1, 0, 0, 0);
	write_with("jump.bz", good, len, 0x201, 0xff, 1);
	write_with("large.bz", good, len, 0x260, 0x10000000, 4);
	write_with("far.bz", good, len, 0x258, UINT64_MAX, 8);
	write_with("terse.bz", good, len, 0x238, 3, 4);
	write_with("low-initrd.bz", good, len, 0x22c, 0, 4);
}

static void make_bad_multiboots(void)
{
	uint8_t good[4096], video[12];
	size_t len = multiboot_build_raw("\xf4", 1, good, sizeof(good));

	write_with("before.mb", good, len, MULTIBOOT_RAW_AT + 16, 0, 4);
	write_with("cut.mb", good, len - 1, 0, 0, 0);
	write_with("nowhere.mb", good, len, MULTIBOOT_RAW_AT + 28, 0x1000, 4);
	write_with("outside.mb", good, len, MULTIBOOT_RAW_AT + 24, 0xfffffff0, 4);
	multiboot_put_header(video, 4);
	files_write("video.mb", video, sizeof(video));
	multiboot_put_header(video, 0);
	files_write("bare.mb", video, sizeof(video));
}

static void make_bad_compressed(void)
{
	static uint8_t zeroes[20 << 20];
	uint8_t *file = malloc(compress_bound(sizeof(zeroes)));
	size_t len = compress_bytes(COMPRESS_GZIP, "not a kernel", 12, file);

	files_write("script.gz", file, len);
	files_write("cut.gz", file, len - 1);
	file[len - 5] ^= 1;
	files_write("damaged.gz", file, len);
	files_write("bomb.xz", file, compress_bytes(COMPRESS_XZ, zeroes, sizeof(zeroes), file));
	files_write("nothing.zst", file, compress_bytes(COMPRESS_ZSTD, "", 0, file));
	compress_file(COMPRESS_XZ, "script.gz", "twice.xz");
	files_write("kernel.bz2", "BZh91AY&SY", 10);
	free(file);
}

static void setup(void)
{
	static const uint8_t nothing[] = {0xf4};
	uint8_t sector[512] = {0};

	command_setup();
	files_make("empty", 0);
	files_make("zeroes.bin", 1 << 20);
	files_make("huge.bin", (uint64_t)1 << 42);
	files_make("odd.img", 1000);
	files_make("page.rom", 65536 + 4096);
	files_make("good.rom", 65536);
	files_make("large.rom", 5 * 65536);
	files_make("good.img", 1 << 20);
	memcpy(sector + 510, "\x55\xaa", 2);
	files_write("boot.img", sector, sizeof(sector));
	files_make("readonly.img", 1 << 20);
	chmod("readonly.img", 0400);
	mkdir("folder", 0700);
	mkfifo("fifo", 0600);
	elf_write_pvh("good.elf", nothing, sizeof(nothing));
	make_bad_kernels();
	make_bad_bzimages();
	make_bad_multiboots();
	make_bad_compressed();
	files_write("truncated.elf", "\177ELF\2\1\1", 7);
	files_write("script.sh", "#!/bin/sh\necho I am not a kernel\n", 33);
}

/* What is typed, the status, and what the one line must hold. */
static const struct {
	const char *arguments[6];
	int status;
	const char *says[2];
} rows[] = {
	/* the command line */
	{{"run", "--no-such-option"}, 100, {"--no-such-option"}},
	{{"run", "-Z"}, 100, {"-Z"}},
	{{"run", "--disk"}, 100, {"--disk", "needs a value"}},
	{{"run", "good.elf", "second.elf"}, 100, {"second.elf"}},
	{{"run", "-m", "0"}, 100, {"16 MiB"}},
	{{"run", "-m", "1K"}, 100, {"1 KiB", "16 MiB"}},
	{{"run", "-m", "lots"}, 100, {"lots"}},
	{{"run", "-m", "-1"}, 100, {"-1"}},
	{{"run", "-m", "99999999999T"}, 100, {"99999999999T"}},
	{{"run", "-m", "2T"}, 100, {"2 TiB", "1 TiB"}},
	{{"run", "-m", "33555433"}, 100, {"4096"}},
	{{"run", "-m", "1T"}, 101, {"1 TiB", "--overcommit"}},
	{{"run", "-c", "0"}, 100, {"-c", "64"}},
	{{"run", "-c", "65"}, 100, {"-c", "64"}},
	{{"run", "-c", "two"}, 100, {"two"}},
	{{"run", "--timeout", "0"}, 100, {"--timeout"}},
	{{"run", "--timeout", "soon"}, 100, {"soon"}},
	{{"run", "--on-reset", "explode"}, 100, {"explode"}},
	{{"run", "--debug-exit", "bochs"}, 100, {"bochs"}},
	{{"run", "--console", "telnet"}, 100, {"telnet"}},
	{{"run", "--console", "file=no/such/folder"}, 100, {"no/such/folder"}},
	{{"run", "--trace", "everything"}, 100, {"everything"}},
	{{"run", "--disk", "good.img"}, 100, {"good.img", "path="}},
	{{"run", "--disk", "path=good.img,rw"}, 100, {"rw"}},
	{{"run", "--disk", "path="}, 100, {"path="}},
	{{"run", "--disk", "path=good.img,serial=a-serial-that-is-too-long"}, 100, {"20 bytes"}},
	{{"jump"}, 100, {"jump", "lodge help"}},
	{{"version", "please"}, 100, {"please"}},
	{{"info", "please"}, 100, {"please"}},
	/* kernels */
	{{"run", "missing.elf"}, 102, {"missing.elf", "No such file"}},
	{{"run", "empty"}, 102, {"empty"}},
	{{"run", "folder"}, 102, {"folder", "directory"}},
	{{"run", "fifo"}, 102, {"fifo", "not a regular file"}},
	{{"run", "zeroes.bin"}, 102, {"zeroes.bin", "not a kernel"}},
	{{"run", "huge.bin"}, 102, {"huge.bin", "not a kernel"}},
	{{"run", "kernel.bz2"}, 102, {"kernel.bz2", "bunzip2"}},
	{{"run", "script.gz"}, 102, {"script.gz", "not a kernel"}},
	{{"run", "cut.gz"}, 102, {"cut.gz", "truncated"}},
	{{"run", "damaged.gz"}, 102, {"damaged.gz", "data check"}},
	{{"run", "bomb.xz", "-m", "16M"}, 102, {"bomb.xz", "more than 16 MiB"}},
	{{"run", "nothing.zst"}, 102, {"nothing.zst", "nothing is in it"}},
	{{"run", "twice.xz"}, 102, {"twice.xz", "twice"}},
	{{"run", "plain32.elf"}, 102, {"plain32.elf", "neither a PVH note nor a multiboot header"}},
	{{"run", "old.bz"}, 102, {"old.bz", "2.12"}},
	{{"run", "narrow.bz"}, 102, {"narrow.bz", "32-bit Linux"}},
	{{"run", "cut.bz"}, 102, {"cut.bz", "truncated"}},
	{{"run", "jump.bz"}, 102, {"jump.bz", "length"}},
	{{"run", "large.bz"}, 102, {"large.bz", "-m"}},
	{{"run", "far.bz"}, 102, {"far.bz", "4 GiB"}},
	{{"run", "terse.bz", "--append", "four"}, 102, {"terse.bz", "command line"}},
	{{"run", "low-initrd.bz", "--initrd", "good.img"}, 102, {"good.img", "low-initrd.bz"}},
	{{"run", "good.bz", "--initrd", "huge.bin"}, 102, {"huge.bin", "-m"}},
	{{"run", "before.mb"}, 102, {"before.mb", "multiboot header"}},
	{{"run", "cut.mb"}, 102, {"cut.mb", "truncated"}},
	{{"run", "nowhere.mb"}, 102, {"nowhere.mb", "entry point"}},
	{{"run", "outside.mb"}, 102, {"outside.mb", "-m"}},
	{{"run", "video.mb"}, 102, {"video.mb", "video mode"}},
	{{"run", "bare.mb"}, 102, {"bare.mb", "flag 16"}},
	{{"run", "good.img", "--format", "flat"}, 102, {"good.img", "conventional memory"}},
	{{"run", "--format", "flat"}, 100, {"flat", "none is given"}},
	{{"run", "good.elf", "--format", "elf"}, 100, {"elf", "auto, flat"}},
	{{"run", "odd.img", "--format=flat", "--append", "x"}, 100, {"flat", "command line"}},
	{{"run", "script.sh"}, 102, {"script.sh", "script"}},
	{{"run", "truncated.elf"}, 102, {"truncated.elf", "truncated"}},
	{{"run", "overlap.elf"}, 102, {"overlap.elf", "overlap"}},
	{{"run", "outside.elf"}, 102, {"outside.elf", "-m"}},
	{{"run", "cut.elf"}, 102, {"cut.elf", "truncated"}},
	{{"run", "nowhere.elf"}, 102, {"nowhere.elf", "entry point"}},
	{{"run", "good.elf", "--initrd", "missing"}, 102, {"missing", "No such file"}},
	{{"run", "good.elf", "--initrd", "empty"}, 102, {"empty"}},
	{{"run", "good.elf", "--initrd", "huge.bin"}, 102, {"huge.bin", "-m"}},
	/* firmware */
	{{"run", "--firmware", "missing.rom"}, 102, {"missing.rom", "No such file"}},
	{{"run", "--firmware", "empty"}, 102, {"empty"}},
	{{"run", "--firmware", "folder"}, 102, {"folder", "directory"}},
	{{"run", "--firmware", "odd.img"}, 102, {"odd.img", "64 KiB"}},
	{{"run", "--firmware", "page.rom"}, 102, {"page.rom", "64 KiB"}},
	{{"run", "--firmware", "large.rom"}, 102, {"large.rom", "256 KiB"}},
	{{"run", "--firmware", "huge.bin"}, 102, {"huge.bin", "256 KiB"}},
	{{"run", "--firmware", "good.rom", "--irqchip", "split"}, 100, {"good.rom", "i8259"}},
	{{"run", "odd.img", "--format=flat", "--firmware", "latchkey"}, 100, {"flat", "firmware"}},
	/* disks */
	{{"run", "--disk", "path=missing.img"}, 102, {"missing.img", "No such file"}},
	{{"run", "--disk", "path=folder"}, 102, {"folder", "directory"}},
	{{"run", "--disk", "path=empty"}, 102, {"empty"}},
	{{"run", "--disk", "path=odd.img"}, 102, {"odd.img", "512"}},
	{{"run", "--disk", "path=fifo"}, 102, {"fifo"}},
	{{"run", "--disk", "path=good.img", "--disk", "path=good.img"}, 102, {"good.img", "in use"}},
	/* a boot from disk */
	{{"run", "--boot", "disk"}, 100, {"disk", "--disk"}},
	{{"run", "--boot", "cdrom"}, 100, {"--boot", "cdrom"}},
	{{"run", "good.elf", "--boot=disk", "--disk", "path=good.img"}, 100, {"no kernel"}},
	{{"run", "--boot=disk", "--disk=path=good.img", "--append=quiet"}, 100, {"command line"}},
	{{"run", "--boot=disk", "--disk=path=boot.img", "--irqchip=split"}, 100, {"boot sector", "i8259"}},
	{{"run", "--boot=disk", "--disk=path=good.img"}, 102, {"good.img", "55 AA"}},
	{{"run", "--boot=disk", "--disk=path=empty"}, 102, {"empty"}},
	{{"run", "--boot=disk", "--disk=path=missing.img"}, 102, {"missing.img", "No such file"}},
	/* KVM */
	{{"run", "--kvm-device", "/no/such/kvm"}, 101, {"/no/such/kvm", "No such file"}},
	{{"run", "--kvm-device", "/dev/null"}, 101, {"/dev/null", "not a KVM device"}},
	{{"info", "--kvm-device", "/no/such/kvm"}, 101, {"/no/such/kvm"}},
};

START_TEST(bad_input_gets_one_clear_line_and_its_status)
{
	const char *argv[8] = {command_lodge()};

	memcpy(argv + 1, rows[_i].arguments, sizeof(rows[_i].arguments));
	command_start(command, argv);
	command_finish(command, 30);
	ck_assert_msg(command->status == rows[_i].status, "%s %s: status %d, not %d: %s", argv[1], argv[2],
		command->status, rows[_i].status, command->err);
	for (int i = 0; i < 2 && rows[_i].says[i]; i++) {
		ck_assert_msg(strstr(command->err, rows[_i].says[i]) != NULL, "no '%s' in: %s",
			rows[_i].says[i], command->err);
	}
	ck_assert_msg(command_complained(command), "not one line: %s", command->err);
	ck_assert_str_eq(command->out, "");
}
END_TEST

/* The firmware is not reached: the same line, before there is a guest. */
START_TEST(bad_kernel_is_refused_with_firmware_as_without)
{
	unsigned refused = 0;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const *arguments = rows[i].arguments;
		const char *argv[9] = {command_lodge(), "run", "--firmware=latchkey"};

		if (rows[i].status != 102 || !strncmp(arguments[1], "--", 2) ||
			(arguments[2] && !strcmp(arguments[2], "--format")))
			continue;
		memcpy(argv + 3, arguments + 1, sizeof(rows[i].arguments) - sizeof(*arguments));
		command_start(command, argv);
		command_finish(command, 30);
		ck_assert_msg(
			command->status == 102, "%s: %d: %s", arguments[1], command->status, command->err);
		ck_assert_msg(strstr(command->err, rows[i].says[0]), "%s", command->err);
		refused++;
	}
	ck_assert_uint_gt(refused, 30);
}
END_TEST

/* Root may do anything: these rows are run as a user who may not. */
static const struct {
	const char *line;
	int status;
	const char *says[2];
} user_rows[] = {
	{"run --disk path=readonly.img", 102, {"readonly.img", "ro"}},
	{"run unreadable.elf", 102, {"unreadable.elf", "Permission denied"}},
	{"run --disk path=unreadable.elf", 102, {"unreadable.elf", "Permission denied"}},
	{"run --kvm-device ./forbidden-kvm", 101, {"forbidden-kvm", "Permission denied"}},
};

START_TEST(what_a_user_may_not_touch_gets_one_clear_line)
{
	char line[256];
	const char *const argv[] = {"/bin/sh", "-c", line, command_lodge(), NULL};

	if (geteuid() != 0) {
		printf("SKIPPED: what_a_user_may_not_touch: needs root to set it up\n");
		return;
	}
	files_write("unreadable.elf", "\177ELF\2\1\1", 7);
	chmod("unreadable.elf", 0);
	files_write("forbidden-kvm", "", 0);
	chmod("forbidden-kvm", 0);
	chmod("readonly.img", 0444);
	chmod(".", 0755);
	snprintf(line, sizeof(line),
		"cp \"$0\" ./lodge-copy && exec setpriv --reuid=65534 --regid=65534 --clear-groups ./lodge-copy %s",
		user_rows[_i].line);
	command_start(command, argv);
	command_finish(command, 30);
	ck_assert_msg(command->status == user_rows[_i].status, "%s: status %d: %s", user_rows[_i].line,
		command->status, command->err);
	for (int i = 0; i < 2; i++) {
		ck_assert_msg(strstr(command->err, user_rows[_i].says[i]) != NULL, "no '%s' in: %s",
			user_rows[_i].says[i], command->err);
	}
}
END_TEST

Suite *bad_input_suite(void)
{
	Suite *suite = suite_create("bad input");
	TCase *tcase = tcase_create("rows");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, command_teardown);
	tcase_add_loop_test(
		tcase, bad_input_gets_one_clear_line_and_its_status, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(tcase, bad_kernel_is_refused_with_firmware_as_without);
	tcase_add_loop_test(tcase, what_a_user_may_not_touch_gets_one_clear_line, 0,
		sizeof(user_rows) / sizeof(user_rows[0]));
	suite_add_tcase(suite, tcase);
	return suite;
}
