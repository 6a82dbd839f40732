/* The options of `lodge run`, each of them good and bad. */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/run_options.h"
#include "util/bytes.h"

#define ARGUMENTS_MAX 48

static struct run_options options;
static struct error error;
static char *argv[ARGUMENTS_MAX + 1];
static int argc;

/* Splits at blanks: "-m 1G kernel". */
static int parse(const char *line)
{
	char *copy = strdup(line), *rest = copy, *word;

	argv[argc++] = strdup("run");
	while ((word = strsep(&rest, " ")))
		if (*word && argc < ARGUMENTS_MAX)
			argv[argc++] = strdup(word);
	argv[argc] = NULL;
	free(copy);
	return run_options_parse(&options, argc, argv, &error);
}

static void teardown(void)
{
	run_options_free(&options);
	run_options_free(&options);
	while (argc)
		free(argv[--argc]);
}

static void expect_parsed(const char *line)
{
	int err = parse(line);

	ck_assert_msg(!err, "%s", error.text);
}

START_TEST(nothing_given_is_lodger_with_a_scratch_disk)
{
	expect_parsed("");
	ck_assert_ptr_null(options.config.kernel);
	ck_assert_uint_eq(options.config.disk_count, 1);
	ck_assert_ptr_eq(options.config.disks, options.disks);
	ck_assert_ptr_null(options.disks[0].path);
	ck_assert(!options.disks[0].read_only);
	ck_assert_uint_eq(options.config.memory, MIB(128));
	ck_assert_uint_eq(options.config.cpus, 1);
	ck_assert_uint_eq(options.console_count, 1);
	ck_assert_int_eq(options.consoles[0].where, CONSOLE_STDIO);
	ck_assert_ptr_null(options.report);
	ck_assert(!options.config.restart && !options.verbose && !options.no_sandbox && !options.user.given);
}
END_TEST

START_TEST(kernel_of_ones_own_or_boot_sector_gets_no_disk)
{
	expect_parsed(_i ? "--boot disk" : "vmlinux");
	ck_assert_int_eq(options.config.format, _i ? LODGE_FORMAT_BOOT_SECTOR : LODGE_FORMAT_AUTO);
	ck_assert_pstr_eq(options.config.kernel, _i ? NULL : "vmlinux");
	ck_assert_uint_eq(options.config.disk_count, 0);
}
END_TEST

START_TEST(lodger_with_a_disk_gets_that_disk_only)
{
	expect_parsed("--disk path=a.img");
	ck_assert_uint_eq(options.config.disk_count, 1);
	ck_assert_str_eq(options.config.disks[0].path, "a.img");
}
END_TEST

START_TEST(root_may_become_another_user)
{
	expect_parsed(geteuid() ? "" : "--user 12:34");
	ck_assert(geteuid() || (options.user.given && options.user.uid == 12 && options.user.gid == 34));
}
END_TEST

START_TEST(every_option_reaches_the_configuration)
{
	expect_parsed(
		"-m 1G -c 4 --append=quiet --initrd rd.img --firmware latchkey --report r.json --timeout 2.5 "
		"--on-reset restart --debug-exit qemu --format flat --pit --pci --irqchip full --no-acpi --overcommit --hugepages "
		"--device pc-testdev --no-sandbox "
		"--trace pio,exit "
		"--gdb unix:gdb:1 --gdb-wait "
		"--kvm-device /dev/other -v k.elf --console none");
	ck_assert_uint_eq(options.config.memory, GIB(1));
	ck_assert_uint_eq(options.config.cpus, 4);
	ck_assert_str_eq(options.config.append, "quiet");
	ck_assert_str_eq(options.config.initrd, "rd.img");
	ck_assert_str_eq(options.config.firmware, "latchkey");
	ck_assert_str_eq(options.report, "r.json");
	ck_assert_uint_eq(options.config.timeout_ms, 2500);
	ck_assert(options.config.restart);
	ck_assert(options.config.qemu_debug_exit);
	ck_assert_int_eq(options.config.format, LODGE_FORMAT_FLAT);
	ck_assert(options.config.pit && options.config.pci);
	ck_assert_int_eq(options.config.irqchip, LODGE_IRQCHIP_FULL);
	ck_assert(options.config.no_acpi);
	ck_assert(options.no_sandbox);
	ck_assert(options.config.overcommit && options.config.hugepages);
	ck_assert(options.config.pc_testdev);
	ck_assert_uint_eq(options.config.trace, LODGE_TRACE_PIO | LODGE_TRACE_EXIT);
	ck_assert_str_eq(options.config.kvm_device, "/dev/other");
	ck_assert_str_eq(options.gdb.path, "gdb:1");
	ck_assert(options.gdb_wait);
	ck_assert(options.verbose);
	ck_assert_str_eq(options.config.kernel, "k.elf");
	ck_assert_uint_eq(options.console_count, 1);
	ck_assert_int_eq(options.consoles[0].where, CONSOLE_NONE);
}
END_TEST

START_TEST(debugger_is_let_in_by_tcp_too)
{
	expect_parsed("--gdb tcp:127.0.0.1:65535");
	ck_assert_ptr_null(options.gdb.path);
	ck_assert_uint_eq(options.gdb.port, 65535);
	ck_assert(!options.gdb_wait);
}
END_TEST

START_TEST(long_names_and_abbreviations_mean_the_same)
{
	expect_parsed("--memory=64M --cpus 2 --time 1 --on=exit --deb lodge --verb --tr all --over --pi");
	ck_assert_uint_eq(options.config.memory, MIB(64));
	ck_assert_uint_eq(options.config.cpus, 2);
	ck_assert_uint_eq(options.config.timeout_ms, 1000);
	ck_assert(!options.config.restart && !options.config.qemu_debug_exit);
	ck_assert(options.verbose && options.config.overcommit && options.config.pit);
	ck_assert_uint_eq(options.config.trace, 31);
}
END_TEST

START_TEST(last_of_two_values_counts)
{
	expect_parsed(
		"-m 1G -m 2G --on-reset restart --on-reset exit "
		"--debug-exit qemu --debug-exit lodge --format flat --format auto --irqchip auto --irqchip split");
	ck_assert_int_eq(options.config.irqchip, LODGE_IRQCHIP_SPLIT);
	ck_assert_int_eq(options.config.format, LODGE_FORMAT_AUTO);
	ck_assert_uint_eq(options.config.memory, GIB(2));
	ck_assert(!options.config.restart && !options.config.qemu_debug_exit);
}
END_TEST

START_TEST(console_can_be_a_file)
{
	expect_parsed("--console file=out=1.log");
	ck_assert_uint_eq(options.console_count, 1);
	ck_assert_int_eq(options.consoles[0].where, CONSOLE_FILE);
	ck_assert_str_eq(options.consoles[0].path, "out=1.log");
}
END_TEST

START_TEST(eight_consoles_are_kept_in_order)
{
	static const enum console_where wheres[] = {CONSOLE_PTY, CONSOLE_SOCKET, CONSOLE_STDIO, CONSOLE_FILE,
		CONSOLE_FILE, CONSOLE_PTY, CONSOLE_SOCKET, CONSOLE_SOCKET};

	expect_parsed("--console pty --console socket=s=1 --console stdio --console file=a --console file=b "
		      "--console pty --console socket=c --console socket=d");
	ck_assert_uint_eq(options.console_count, 8);
	for (unsigned i = 0; i < 8; i++)
		ck_assert_int_eq(options.consoles[i].where, wheres[i]);
	ck_assert_str_eq(options.consoles[1].path, "s=1");
	ck_assert_str_eq(options.consoles[4].path, "b");
	ck_assert_str_eq(options.consoles[7].path, "d");
}
END_TEST

START_TEST(help_is_asked_for)
{
	ck_assert_int_eq(parse("kernel --help"), OPTIONS_HELP);
}
END_TEST

/* Disks */

static const struct {
	const char *value;
	struct lodge_disk disk;
} disks[] = {
	{"path=a.img", {.path = "a.img"}},
	{"path=a.img,ro", {.path = "a.img", .read_only = true}},
	{"ro,path=a.img", {.path = "a.img", .read_only = true}},
	{"path=a.img,direct", {.path = "a.img", .direct = true}},
	{"path=a.img,direct,poll=off", {.path = "a.img", .direct = true, .no_poll = true}},
	{"path=a.img,aio=io_uring", {.path = "a.img", .aio = LODGE_AIO_IO_URING}},
	{"aio=threads,path=a.img", {.path = "a.img", .aio = LODGE_AIO_THREADS}},
	{"path=/dev/sda,ro,serial=S-1,direct",
		{.path = "/dev/sda", .serial = "S-1", .read_only = true, .direct = true}},
	{"serial=,path=a", {.path = "a", .serial = ""}},
	{"path=a,,b.img", {.path = "a,b.img"}},
	{"path=a,,,,b", {.path = "a,,b"}},
	{"path=,,", {.path = ","}},
	{"path=,,,ro", {.path = ",", .read_only = true}},
	{"path=a,,,ro", {.path = "a,", .read_only = true}},
	{"path=a=b", {.path = "a=b"}},
	{"path=a,serial=x,,y", {.path = "a", .serial = "x,y"}},
	{"path=a,path=b", {.path = "b"}},
};

static void expect_text(const char *found, const char *wanted)
{
	if (wanted)
		ck_assert_str_eq(found, wanted);
	else
		ck_assert_ptr_null(found);
}

START_TEST(fields_of_a_disk_are_taken_apart)
{
	const struct lodge_disk *disk = options.disks, *wanted = &disks[_i].disk;
	char line[128];

	snprintf(line, sizeof(line), "--disk %s", disks[_i].value);
	expect_parsed(line);
	expect_text(disk->path, wanted->path);
	expect_text(disk->serial, wanted->serial);
	ck_assert_int_eq(disk->read_only, wanted->read_only);
	ck_assert_int_eq(disk->direct, wanted->direct);
	ck_assert_int_eq(disk->aio, wanted->aio);
	ck_assert_int_eq(disk->no_poll, wanted->no_poll);
	ck_assert_uint_eq(disk->size, 0);
}
END_TEST

#define DISK " --disk path=x,serial=y"

START_TEST(eight_disks_are_kept_in_order)
{
	expect_parsed("--disk path=0 --disk path=1,ro" DISK DISK DISK DISK DISK " --disk path=7");
	ck_assert_uint_eq(options.config.disk_count, 8);
	ck_assert_str_eq(options.config.disks[0].path, "0");
	ck_assert_str_eq(options.config.disks[1].path, "1");
	ck_assert(options.config.disks[1].read_only && !options.config.disks[0].read_only);
	ck_assert_str_eq(options.config.disks[6].serial, "y");
	ck_assert_str_eq(options.config.disks[7].path, "7");
	ck_assert_ptr_null(options.config.disks[7].serial);
}
END_TEST

START_TEST(eight_disks_with_serials_fit)
{
	expect_parsed(DISK DISK DISK DISK DISK DISK DISK DISK);
	ck_assert_uint_eq(options.config.disk_count, 8);
}
END_TEST

/* Rates */

static const struct {
	const char *line;
	struct lodge_disk_rate first, last; /* of three disks */
} rates[] = {
	{"", {0, 0}, {0, 0}},
	{"--disk-rate bytes=50M", {MIB(50), 0}, {MIB(50), 0}},
	{"--disk-rate requests=100", {0, 100}, {0, 100}},
	{"--disk-rate bytes=1,requests=1", {1, 1}, {1, 1}},
	{"--disk-rate requests=7,bytes=64K", {KIB(64), 7}, {KIB(64), 7}},
	{"--disk-rate 0:bytes=1G", {GIB(1), 0}, {0, 0}},
	{"--disk-rate 2:requests=9", {0, 0}, {0, 9}},
	{"--disk-rate bytes=1M --disk-rate 2:requests=9", {MIB(1), 0}, {MIB(1), 9}},
	{"--disk-rate 2:bytes=9 --disk-rate bytes=1M", {MIB(1), 0}, {MIB(1), 0}},
	{"--disk-rate bytes=1M --disk-rate 0:bytes=2M", {MIB(2), 0}, {MIB(1), 0}},
	{"--disk-rate bytes=1M,requests=9 --disk-rate 2:none", {MIB(1), 9}, {0, 0}},
};

#define THREE_DISKS " --disk path=a --disk path=b --disk path=c"

START_TEST(rates_reach_the_disks_they_are_for)
{
	char line[128];

	snprintf(line, sizeof(line), "%s" THREE_DISKS, rates[_i].line);
	expect_parsed(line);
	ck_assert_mem_eq(&options.config.disks[0].rate, &rates[_i].first, sizeof(rates[_i].first));
	ck_assert_mem_eq(&options.config.disks[2].rate, &rates[_i].last, sizeof(rates[_i].last));
}
END_TEST

START_TEST(limits_are_kept_for_the_instance)
{
	expect_parsed("--cpu-share 300 --cpu-max 50% --memory-max 2G -m 1G");
	ck_assert(options.has_limits);
	ck_assert_uint_eq(options.limits.cpu_share, 300);
	ck_assert_uint_eq(options.limits.cpu_max_percent, 50);
	ck_assert_uint_eq(options.limits.memory_max, GIB(2));
}
END_TEST

START_TEST(limits_that_were_lifted_again_are_none)
{
	expect_parsed("--cpu-max 50% --memory-max 2G --cpu-max none --memory-max none");
	ck_assert(!options.has_limits);
}
END_TEST

START_TEST(memory_may_be_overcommitted_against_its_limit)
{
	expect_parsed("--memory-max 64M --overcommit");
	ck_assert_uint_eq(options.limits.memory_max, MIB(64));
}
END_TEST

START_TEST(scratch_disk_can_have_a_rate)
{
	expect_parsed("--disk-rate 0:bytes=1M");
	ck_assert_uint_eq(options.config.disks[0].rate.bytes_per_s, MIB(1));
}
END_TEST

/* Bad values */

#define PTY " --console pty"

static const struct {
	const char *line, *text;
} bad[] = {
	{"-m ten", "-m 'ten': not a size"},
	{"-m -1", "-m '-1': not a size"},
	{"--memory=", "-m '': not a size"},
	{"-m 99999999999T", "-m '99999999999T': not a size"},
	{"-m", "option '-m' needs a value"},
	{"-c 0", "-c '0': a guest can have 1 to 64 CPUs"},
	{"-c 65", "-c '65': a guest can have 1 to 64 CPUs"},
	{"-c two", "-c 'two': a guest can have 1 to 64 CPUs"},
	{"--append", "option '--append' needs a value"},
	{"--boot cdrom", "--boot 'cdrom': not one of disk"},
	{"--initrd", "option '--initrd' needs a value"},
	{"--gdb gdb.sock", "--gdb 'gdb.sock': not one of unix:PATH, tcp:127.0.0.1:PORT"},
	{"--gdb unix:", "--gdb 'unix:': not one of unix:PATH"},
	{"--gdb tcp:127.0.0.1:", "--gdb 'tcp:127.0.0.1:': not one of"},
	{"--gdb tcp:127.0.0.1:0", "--gdb 'tcp:127.0.0.1:0': not one of"},
	{"--gdb tcp:127.0.0.1:65536", "--gdb 'tcp:127.0.0.1:65536': not one of"},
	{"--gdb tcp:127.0.0.1:1x", "--gdb 'tcp:127.0.0.1:1x': not one of"},
	{"--gdb tcp:0.0.0.0:1234", "only 127.0.0.1 is listened at"},
	{"--gdb tcp::1234", "only 127.0.0.1 is listened at"},
	{"--gdb tcp:1234", "only 127.0.0.1 is listened at"},
	{"--gdb-wait", "--gdb-wait: there is no --gdb to wait at"},
	{"--timeout 0", "--timeout '0': not a time"},
	{"--timeout 0.000", "--timeout '0.000': not a time"},
	{"--timeout 1h", "--timeout '1h': not a time"},
	{"--timeout -1", "--timeout '-1': not a time"},
	{"--on-reset maybe", "--on-reset 'maybe': not one of exit, restart"},
	{"--debug-exit bochs", "--debug-exit 'bochs': not one of lodge, qemu"},
	{"--device rtc", "--device 'rtc': not one of pc-testdev"},
	{"--console tty", "--console 'tty': not one of"},
	{"--console file=", "--console 'file=': not one of"},
	{"--console file", "--console 'file': not one of"},
	{"--console stdio2", "--console 'stdio2': not one of"},
	{"--console socket=", "--console 'socket=': not one of"},
	{"--console pty=x", "--console 'pty=x': not one of"},
	{"--console stdio --console file=a --console stdio", "--console 'stdio': given twice"},
	{"--console stdio --console none", "--console 'none': none goes with no other console"},
	{"--console none --console pty", "--console 'pty': none goes with no other console"},
	{PTY PTY PTY PTY PTY PTY PTY PTY " --console file=9", "8 consoles at most"},
	{"--trace pio,nothing", "--trace 'pio,nothing': not a list of"},
	{"--trace=", "--trace '': not a list of"},
	{"--report", "option '--report' needs a value"},
	{"--irqchip half", "--irqchip 'half': not one of auto, full, split"},
	{"--pit=1", "option '--pit=1' takes no value"},
	{"--nothing", "unknown or ambiguous option '--nothing'"},
	{"-z", "unknown option '-z'"},
	{"--o", "ambiguous option '--o'"},
	{"one two", "'two': one kernel is enough"},
	{"one -m 1G two three", "'two': one kernel is enough"},
	{"--disk a.img", "--disk 'a.img': not one of path=FILE"},
	{"--disk=", "--disk '': not one of path=FILE"},
	{"--disk ro", "--disk 'ro': no path=FILE in it"},
	{"--disk path=", "--disk 'path=': no path=FILE in it"},
	{"--disk path=,ro", "--disk 'path=,ro': no path=FILE in it"},
	{"--disk path=a,", "--disk '': not one of path=FILE"},
	{"--disk path=a,rw", "--disk 'rw': not one of path=FILE"},
	{"--disk path=a,ro=1", "--disk 'ro=1': not one of path=FILE"},
	{"--disk path=a,size=1G", "--disk 'size=1G': not one of path=FILE"},
	{"--disk paths=a", "--disk 'paths=a': not one of path=FILE"},
	{DISK DISK DISK DISK DISK DISK DISK DISK " --disk path=9", "8 disks at most"},
	{"--disk-rate=", "--disk-rate '': not one of bytes=SIZE"},
	{"--disk-rate 50M", "--disk-rate '50M': not one of bytes=SIZE"},
	{"--disk-rate bytes=0", "--disk-rate 'bytes=0': not one of bytes=SIZE"},
	{"--disk-rate bytes=", "--disk-rate 'bytes=': not one of bytes=SIZE"},
	{"--disk-rate bytes=1M,", "--disk-rate '': not one of bytes=SIZE"},
	{"--disk-rate bytes=99999999999T", "'bytes=99999999999T': not one of bytes=SIZE"},
	{"--disk-rate requests=0", "--disk-rate 'requests=0': not one of"},
	{"--disk-rate requests=1K", "--disk-rate 'requests=1K': not one of"},
	{"--disk-rate 0:", "--disk-rate '': not one of bytes=SIZE"},
	{"--disk-rate 8:bytes=1M", "--disk-rate '8:bytes=1M': disks are counted from 0 to 7"},
	{"--disk-rate :bytes=1M", "--disk-rate ':bytes=1M': disks are counted from 0 to 7"},
	{"--disk-rate a:bytes=1M", "--disk-rate 'a:bytes=1M': disks are counted from 0 to 7"},
	{"--disk-rate 00000:bytes=1M", "disks are counted from 0 to 7"},
	{"--disk-rate 1:bytes=1M", "--disk-rate: there is no disk 1"},
	{"--disk-rate bytes=1M kernel", "--disk-rate: there is no disk 0"},
	{"--disk-rate", "option '--disk-rate' needs a value"},
	{"--cpu-share 0", "--cpu-share '0': not a share from 1 to 10000"},
	{"--cpu-max 0%", "--cpu-max '0%': not percent of one CPU"},
	{"--memory-max all", "--memory-max 'all': not a size"},
	{"--memory-max 128M", "memory-max of 128 MiB: with 128 MiB of guest memory it is to be 162 MiB"},
	{"--memory-max 1G -m 1G", "memory-max of 1 GiB: with 1 GiB of guest memory"},
	{"--disk path=1,path=2,path=3,path=4,path=5,path=6,path=7,path=8,path=9,path=10,path=11,"
	 "path=12,path=13,path=14,path=15,path=16,path=17",
		"too many paths and serials"},
};

START_TEST(bad_value_is_named_with_what_is_wanted)
{
	ck_assert_int_lt(parse(bad[_i].line), 0);
	ck_assert_int_eq(error.kind, ERROR_USAGE);
	ck_assert_msg(strstr(error.text, bad[_i].text), "%s", error.text);
	ck_assert_ptr_null(strchr(error.text, '\n'));
}
END_TEST

/* What the usage calls a value is what the shells complete: its words are good, and no others of its kind, unless a file would do. */
START_TEST(words_of_the_usage_are_good_values)
{
	char *usage, *rest, *word;
	unsigned words = 0;

	for (const struct option_row *row = run_option_rows; row->name; row++) {
		if (!row->set)
			continue; /* it takes any text, or none */
		rest = usage = strdup(row->argument ? row->argument : "");
		for (word = rest; *word; word++)
			if (strchr("[],", *word))
				*word = '|';
		while ((word = strsep(&rest, "|"))) {
			const char *before = strcmp(row->name, "disk") ? "" : "path=a,";
			char value[64];

			/* Capitals are the user's; any text can be a file's name. */
			if (!*word || (*word >= 'A' && *word <= 'Z') || *word == '.' || strchr(word, ':') ||
				(strchr(word, '=') && !strstr(word, "=FILE")))
				continue;
			snprintf(value, sizeof(value), "%s%s", before, word);
			options = (struct run_options){0};
			ck_assert_msg(!row->set(&options, value, &error), "--%s: %s", row->name, error.text);
			run_options_free(&options);
			words++;
			if (strstr(row->argument, "|FILE"))
				continue;
			options = (struct run_options){0};
			snprintf(value, sizeof(value), "%sother", before);
			ck_assert_int_lt(row->set(&options, value, &error), 0);
			ck_assert_msg(strstr(error.text, word), "--%s: %s: %s", row->name, word, error.text);
			run_options_free(&options);
		}
		free(usage);
	}
	ck_assert_uint_gt(words, 10);
}
END_TEST

Suite *run_options_suite(void)
{
	Suite *suite = suite_create("cli/run_options");
	TCase *good_values = tcase_create("good values"), *bad_values = tcase_create("bad values");

	suite_add_tcase(suite, good_values);
	tcase_add_checked_fixture(good_values, NULL, teardown);
	tcase_add_test(good_values, nothing_given_is_lodger_with_a_scratch_disk);
	tcase_add_loop_test(good_values, kernel_of_ones_own_or_boot_sector_gets_no_disk, 0, 2);
	tcase_add_test(good_values, lodger_with_a_disk_gets_that_disk_only);
	tcase_add_test(good_values, root_may_become_another_user);
	tcase_add_test(good_values, every_option_reaches_the_configuration);
	tcase_add_test(good_values, debugger_is_let_in_by_tcp_too);
	tcase_add_test(good_values, long_names_and_abbreviations_mean_the_same);
	tcase_add_test(good_values, last_of_two_values_counts);
	tcase_add_test(good_values, console_can_be_a_file);
	tcase_add_test(good_values, eight_consoles_are_kept_in_order);
	tcase_add_test(good_values, help_is_asked_for);
	tcase_add_loop_test(good_values, fields_of_a_disk_are_taken_apart, 0, ARRAY_SIZE(disks));
	tcase_add_loop_test(good_values, rates_reach_the_disks_they_are_for, 0, ARRAY_SIZE(rates));
	tcase_add_test(good_values, scratch_disk_can_have_a_rate);
	tcase_add_test(good_values, limits_are_kept_for_the_instance);
	tcase_add_test(good_values, limits_that_were_lifted_again_are_none);
	tcase_add_test(good_values, memory_may_be_overcommitted_against_its_limit);
	tcase_add_test(good_values, eight_disks_are_kept_in_order);
	tcase_add_test(good_values, eight_disks_with_serials_fit);
	suite_add_tcase(suite, bad_values);
	tcase_add_checked_fixture(bad_values, NULL, teardown);
	tcase_add_test(bad_values, words_of_the_usage_are_good_values);
	tcase_add_loop_test(bad_values, bad_value_is_named_with_what_is_wanted, 0, ARRAY_SIZE(bad));
	return suite;
}
