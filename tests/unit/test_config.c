/* The configuration: its defaults and its limits. */
#include "suites.h"

#include <signal.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lodge.h"
#include "machine/config.h"
#include "util/bytes.h"
#include "util/error.h"
#include "x86/layout.h"

static struct lodge_config config;
static struct error error;

static void setup(void)
{
	lodge_config_init(&config);
	error = (struct error){0};
}

static void expect_refused(const char *why)
{
	ck_assert_int_eq(config_check(&config, &error), -EINVAL);
	ck_assert_int_eq(error.kind, ERROR_USAGE);
	ck_assert_ptr_nonnull(strstr(error.text, why));
	ck_assert_ptr_null(strchr(error.text, '\n'));
	ck_assert_int_eq(config_check(&config, NULL), -EINVAL);
}

START_TEST(defaults_are_valid_and_as_documented)
{
	memset(&config, 0xff, sizeof(config));
	lodge_config_init(&config);
	ck_assert_int_eq(config_check(&config, &error), 0);
	ck_assert_uint_eq(config.memory, MIB(128));
	ck_assert_uint_eq(config.cpus, 1);
	ck_assert_uint_eq(config.disk_count, 0);
	ck_assert_uint_eq(config.console_count, 0);
	ck_assert_int_eq(config.stop_fd, -1);
	ck_assert_uint_eq(config.timeout_ms, 0);
	ck_assert_uint_eq(config.trace, 0);
	ck_assert_ptr_null(config.kernel);
	ck_assert_ptr_null(config.append);
	ck_assert_ptr_null(config.kvm_device);
	ck_assert(!config.pit && !config.pci && !config.overcommit && !config.hugepages &&
		  !config.qemu_debug_exit);
}
END_TEST

static const struct {
	uint64_t memory;
	const char *why; /* NULL: fine */
} memories[] = {
	{0, "16 MiB to 1 TiB"},
	{KIB(1), "1 KiB"},
	{MIB(16) - 4096, "16 MiB to 1 TiB"},
	{MIB(16), NULL},
	{MIB(16) + 4096, NULL},
	{MIB(16) + 1, "4096"},
	{MIB(128) + 512, "4096"},
	{GIB(4), NULL},
	{GIB(1024), NULL},
	{GIB(1024) + 4096, "16 MiB to 1 TiB"},
	{UINT64_MAX - 4095, "16 MiB to 1 TiB"},
};

START_TEST(memory_is_16_mib_to_1_tib_in_pages)
{
	config.memory = memories[_i].memory;
	if (memories[_i].why)
		expect_refused(memories[_i].why);
	else
		ck_assert_int_eq(config_check(&config, &error), 0);
}
END_TEST

START_TEST(memory_in_huge_pages_is_a_multiple_of_2_mib)
{
	config.hugepages = true;
	config.memory = MIB(34);
	ck_assert_int_eq(config_check(&config, &error), 0);
	config.memory = MIB(35);
	expect_refused("multiple of 2 MiB");
}
END_TEST

START_TEST(cpus_are_1_to_64)
{
	config.cpus = 0;
	expect_refused("0 CPUs");
	config.cpus = 64;
	ck_assert_int_eq(config_check(&config, &error), 0);
	config.cpus = 65;
	expect_refused("65 CPUs");
	config.cpus = UINT32_MAX;
	expect_refused("1 to 64");
}
END_TEST

START_TEST(command_line_leaves_room_for_its_nul)
{
	static char text[BOOT_CMDLINE_SIZE + 1];

	config.append = text;
	ck_assert_int_eq(config_check(&config, &error), 0);
	memset(text, 'a', BOOT_CMDLINE_SIZE - 1);
	ck_assert_int_eq(config_check(&config, &error), 0);
	text[BOOT_CMDLINE_SIZE - 1] = 'a';
	expect_refused("4095");
}
END_TEST

static void expect_neither_command_line_nor_initrd(void)
{
	config.append = "";
	ck_assert_int_eq(config_check(&config, &error), 0);
	config.append = "quiet";
	expect_refused("command line");
	config.append = NULL;
	config.initrd = "rd.img";
	expect_refused("initrd");
	config.initrd = NULL;
}

START_TEST(flat_image_is_a_file_that_gets_nothing_else)
{
	config.format = LODGE_FORMAT_FLAT;
	expect_refused("none is given");
	config.kernel = "boot.bin";
	ck_assert_int_eq(config_check(&config, &error), 0);
	expect_neither_command_line_nor_initrd();
	config.firmware = "latchkey";
	expect_refused("firmware");
	config.format = LODGE_FORMAT_AUTO;
	ck_assert_int_eq(config_check(&config, &error), 0);
}
END_TEST

START_TEST(boot_from_disk_has_a_disk_and_nothing_else)
{
	struct lodge_disk disk = {.path = "boot.img"};

	config.format = LODGE_FORMAT_BOOT_SECTOR;
	expect_refused("--disk");
	config.disks = &disk;
	config.disk_count = 1;
	ck_assert_int_eq(config_check(&config, &error), 0);
	expect_neither_command_line_nor_initrd();
	config.kernel = "k.elf";
	expect_refused("kernel");
	config.kernel = NULL;
	config.firmware = "seabios.rom";
	expect_refused("firmware");
	config.firmware = "latchkey";
	ck_assert_int_eq(config_check(&config, &error), 0);
	config.pci = true;
	expect_refused("none on PCI");
	config.pci = false;
	disk.path = NULL; /* a scratch disk is empty */
	expect_refused("--disk");
}
END_TEST

START_TEST(a_split_irqchip_goes_with_no_pit)
{
	config.irqchip = LODGE_IRQCHIP_SPLIT;
	ck_assert_int_eq(config_check(&config, &error), 0);
	config.pit = true;
	expect_refused("i8254");
	config.irqchip = LODGE_IRQCHIP_FULL;
	ck_assert_int_eq(config_check(&config, &error), 0);
	config.irqchip = (enum lodge_irqchip)3;
	expect_refused("irqchip 3");
}
END_TEST

static void do_nothing(int number)
{
	(void)number;
}

/* Without one, the first kick would end the process, or be ignored. */
START_TEST(a_kick_signal_has_a_handler)
{
	config.kick_signal = SIGRTMIN + 3;
	expect_refused("no handler");
	signal(SIGRTMIN + 3, SIG_IGN);
	expect_refused("no handler");
	signal(SIGRTMIN + 3, do_nothing);
	ck_assert_int_eq(config_check(&config, &error), 0);
	config.kick_signal = SIGRTMAX + 1;
	expect_refused("is none");
	config.kick_signal = -1;
	expect_refused("is none");
}
END_TEST

START_TEST(disks_are_8_at_most)
{
	static const struct lodge_disk disks[9] = {{.path = NULL}};

	config.disks = disks;
	config.disk_count = 8;
	ck_assert_int_eq(config_check(&config, &error), 0);
	config.disk_count = 9;
	expect_refused("9 disks");
}
END_TEST

START_TEST(serial_has_20_bytes_at_most)
{
	struct lodge_disk disks[] = {{.serial = NULL}, {.serial = "12345678901234567890"}};

	config.disks = disks;
	config.disk_count = 2;
	ck_assert_int_eq(config_check(&config, &error), 0);
	disks[1].serial = "123456789012345678901";
	expect_refused("20 bytes");
	config.disk_count = 1;
	ck_assert_int_eq(config_check(&config, &error), 0);
}
END_TEST

START_TEST(consoles_are_9_at_most_and_of_a_known_kind)
{
	struct lodge_console consoles[10] = {{.in = -1, .out = -1}};

	config.consoles = consoles;
	config.console_count = 9;
	ck_assert_int_eq(config_check(&config, &error), 0);
	config.console_count = 10;
	expect_refused("10 consoles");
	config.console_count = 1;
	consoles[0].kind = (enum lodge_console_kind)3;
	expect_refused("console 0: kind 3");
	consoles[0].kind = LODGE_CONSOLE_LISTEN;
	expect_refused("console 0: no socket");
	consoles[0].in = 0;
	ck_assert_int_eq(config_check(&config, &error), 0);
}
END_TEST

Suite *config_suite(void)
{
	Suite *suite = suite_create("machine/config");
	TCase *tcase = tcase_create("config");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, defaults_are_valid_and_as_documented);
	tcase_add_loop_test(tcase, memory_is_16_mib_to_1_tib_in_pages, 0, ARRAY_SIZE(memories));
	tcase_add_test(tcase, memory_in_huge_pages_is_a_multiple_of_2_mib);
	tcase_add_test(tcase, cpus_are_1_to_64);
	tcase_add_test(tcase, command_line_leaves_room_for_its_nul);
	tcase_add_test(tcase, flat_image_is_a_file_that_gets_nothing_else);
	tcase_add_test(tcase, boot_from_disk_has_a_disk_and_nothing_else);
	tcase_add_test(tcase, a_split_irqchip_goes_with_no_pit);
	tcase_add_test(tcase, a_kick_signal_has_a_handler);
	tcase_add_test(tcase, disks_are_8_at_most);
	tcase_add_test(tcase, serial_has_20_bytes_at_most);
	tcase_add_test(tcase, consoles_are_9_at_most_and_of_a_known_kind);
	return suite;
}
