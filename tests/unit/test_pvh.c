/* PVH's start_info, read back by the offsets of Xen's document rather than by our own structs. */
#include "suites.h"

#include <string.h>

#include "x86/e820.h"
#include "x86/layout.h"
#include "x86/pvh.h"

#define GPA 0x6000

static struct {
	uint8_t bytes[BOOT_START_SIZE];
	uint8_t guard;
} page;

static const struct e820_entry map[] = {
	{0, 0x9fc00, E820_RAM}, {0x100000, 0x7f00000, E820_RAM}, {0xfffbc000, 0x44000, E820_RESERVED}};

static const struct pvh_module modules[] = {
	{.base = 0x7000000, .size = 0x12345}, {.base = 0x30000, .size = 0x800, .name = "fdt"}};

static void setup(void)
{
	memset(&page, 0x77, sizeof(page));
}

static void build(unsigned module_count, unsigned map_count)
{
	const struct pvh_config config = {
		.cmdline = 0x20000,
		.rsdp = 0xe0000,
		.map = map,
		.map_count = map_count,
		.modules = modules,
		.module_count = module_count,
	};

	pvh_start_info_build(&config, &page, GPA);
}

static uint64_t at(uint64_t offset, unsigned size)
{
	ck_assert_uint_le(offset + size, BOOT_START_SIZE);
	return load_le(page.bytes + offset, size);
}

START_TEST(start_info_has_the_fields_of_version_1)
{
	build(2, 3);
	ck_assert_uint_eq(at(0, 4), 0x336ec578);
	ck_assert_uint_eq(at(4, 4), 1);
	ck_assert_uint_eq(at(8, 4), 0);
	ck_assert_uint_eq(at(12, 4), 2);
	ck_assert_uint_eq(at(24, 8), 0x20000);
	ck_assert_uint_eq(at(32, 8), 0xe0000);
	ck_assert_uint_eq(at(48, 4), 3);
	ck_assert_uint_eq(at(52, 4), 0);
}
END_TEST

START_TEST(modules_keep_their_order_and_names)
{
	uint64_t list, name;

	build(2, 3);
	list = at(16, 8) - GPA;
	ck_assert_uint_eq(list % 8, 0);
	ck_assert_uint_eq(at(list, 8), 0x7000000);
	ck_assert_uint_eq(at(list + 8, 8), 0x12345);
	ck_assert_uint_eq(at(list + 16, 8), 0);
	ck_assert_uint_eq(at(list + 24, 8), 0);
	ck_assert_uint_eq(at(list + 32, 8), 0x30000);
	ck_assert_uint_eq(at(list + 40, 8), 0x800);
	name = at(list + 48, 8) - GPA;
	ck_assert_uint_lt(name, BOOT_START_SIZE - 4);
	ck_assert_str_eq((const char *)page.bytes + name, "fdt");
	ck_assert_uint_eq(at(list + 56, 8), 0);
}
END_TEST

START_TEST(memory_map_is_the_e820_map)
{
	uint64_t table;

	build(2, 3);
	table = at(40, 8) - GPA;
	ck_assert_uint_eq(table % 8, 0);
	for (unsigned i = 0; i < 3; i++, table += 24) {
		ck_assert_uint_eq(at(table, 8), map[i].base);
		ck_assert_uint_eq(at(table + 8, 8), map[i].size);
		ck_assert_uint_eq(at(table + 16, 4), map[i].type);
		ck_assert_uint_eq(at(table + 20, 4), 0);
	}
}
END_TEST

START_TEST(guest_without_modules_gets_none)
{
	build(0, 1);
	ck_assert_uint_eq(at(12, 4), 0);
	ck_assert_uint_eq(at(48, 4), 1);
}
END_TEST

START_TEST(overlong_name_is_cut_and_ends)
{
	const struct pvh_module module = {.name = "a-name-that-is-much-too-long"};
	const struct pvh_config config = {.modules = &module, .module_count = 1};
	uint64_t name;

	pvh_start_info_build(&config, &page, GPA);
	name = at(at(16, 8) - GPA + 16, 8) - GPA;
	ck_assert_str_eq((const char *)page.bytes + name, "a-name-that-is-");
}
END_TEST

START_TEST(all_stays_on_its_page)
{
	struct e820_entry many[E820_ENTRIES_MAX] = {0};
	const struct pvh_config config = {
		.map = many,
		.map_count = E820_ENTRIES_MAX,
		.modules = modules,
		.module_count = PVH_MODULES_MAX,
	};

	pvh_start_info_build(&config, &page, GPA);
	ck_assert_uint_le(at(40, 8) - GPA + E820_ENTRIES_MAX * 24, BOOT_START_SIZE);
	ck_assert_uint_eq(page.guard, 0x77);
}
END_TEST

Suite *pvh_suite(void)
{
	Suite *suite = suite_create("x86/pvh");
	TCase *tcase = tcase_create("start_info");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, start_info_has_the_fields_of_version_1);
	tcase_add_test(tcase, modules_keep_their_order_and_names);
	tcase_add_test(tcase, memory_map_is_the_e820_map);
	tcase_add_test(tcase, guest_without_modules_gets_none);
	tcase_add_test(tcase, overlong_name_is_cut_and_ends);
	tcase_add_test(tcase, all_stays_on_its_page);
	return suite;
}
