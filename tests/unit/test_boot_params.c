/* Linux's zero page, by the offsets of Documentation/arch/x86/zero-page.rst and boot.rst. */
#include "suites.h"

#include <string.h>

#include "x86/boot_params.h"
#include "x86/e820.h"
#include "x86/layout.h"

static struct {
	uint8_t bytes[BOOT_PARAMS_SIZE];
	uint8_t guard;
} page;

static const struct e820_entry map[] = {
	{0, 0x9fc00, E820_RAM}, {0x9fc00, 0x60400, E820_RESERVED}, {0x100000000, 0x500000000, E820_RAM}};

static void setup(void)
{
	const struct boot_params_config config = {
		.cmdline = 0x20000,
		.cmdline_len = 33,
		.initrd_base = 0xbf000000,
		.initrd_size = 0x123456,
		.rsdp = 0xe0000,
		.map = map,
		.map_count = ARRAY_SIZE(map),
	};

	memset(&page, 0x77, sizeof(page));
	boot_params_build(&config, &page);
}

static uint64_t at(unsigned offset, unsigned size)
{
	return load_le(page.bytes + offset, size);
}

START_TEST(header_is_a_boot_loaders)
{
	ck_assert_uint_eq(at(0x1fe, 2), 0xaa55);
	ck_assert_mem_eq(page.bytes + 0x202, "HdrS", 4);
	ck_assert_uint_eq(at(0x210, 1), 0xff);
	ck_assert_uint_eq(at(0x211, 1) & 1, 1);
}
END_TEST

START_TEST(command_line_and_initrd_are_named)
{
	ck_assert_uint_eq(at(0x228, 4), 0x20000);
	ck_assert_uint_eq(at(0x238, 4), 33);
	ck_assert_uint_eq(at(0x218, 4), 0xbf000000);
	ck_assert_uint_eq(at(0x21c, 4), 0x123456);
	ck_assert_uint_eq(at(0x0c0, 4), 0); /* the upper halves */
	ck_assert_uint_eq(at(0x0c4, 4), 0);
	ck_assert_uint_eq(at(0x0c8, 4), 0);
}
END_TEST

START_TEST(rsdp_is_named)
{
	ck_assert_uint_eq(at(0x070, 8), 0xe0000);
}
END_TEST

START_TEST(memory_map_is_the_e820_map)
{
	ck_assert_uint_eq(at(0x1e8, 1), ARRAY_SIZE(map));
	for (unsigned i = 0; i < ARRAY_SIZE(map); i++) {
		ck_assert_uint_eq(at(0x2d0 + 20 * i, 8), map[i].base);
		ck_assert_uint_eq(at(0x2d8 + 20 * i, 8), map[i].size);
		ck_assert_uint_eq(at(0x2e0 + 20 * i, 4), map[i].type);
	}
}
END_TEST

/* Linux takes garbage in a field it knows for an order. */
START_TEST(all_else_is_zero)
{
	static const struct {
		unsigned offset, len;
	} set[] = {{0x070, 8}, {0x1e8, 1}, {0x1fe, 2}, {0x202, 4}, {0x210, 2}, {0x218, 8}, {0x228, 4},
		{0x238, 4}, {0x2d0, 20 * ARRAY_SIZE(map)}};

	for (unsigned i = 0; i < ARRAY_SIZE(set); i++)
		memset(page.bytes + set[i].offset, 0, set[i].len);
	for (unsigned i = 0; i < BOOT_PARAMS_SIZE; i++)
		ck_assert_msg(!page.bytes[i], "offset 0x%x", i);
	ck_assert_uint_eq(page.guard, 0x77);
}
END_TEST

Suite *boot_params_suite(void)
{
	Suite *suite = suite_create("x86/boot_params");
	TCase *tcase = tcase_create("zero page");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, header_is_a_boot_loaders);
	tcase_add_test(tcase, command_line_and_initrd_are_named);
	tcase_add_test(tcase, rsdp_is_named);
	tcase_add_test(tcase, memory_map_is_the_e820_map);
	tcase_add_test(tcase, all_else_is_zero);
	return suite;
}
