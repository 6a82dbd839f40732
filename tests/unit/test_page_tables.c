/* The page tables, walked as the CPU walks them (Intel SDM vol. 3, 4.5). */
#include "suites.h"

#include <string.h>

#include "x86/layout.h"
#include "x86/page_tables.h"

#define PRESENT  1u
#define WRITABLE 2u
#define LARGE    0x80u
#define ADDRESS  0xffffffffff000u

static struct {
	uint64_t tables[BOOT_PAGES_SIZE / 8];
	uint64_t guard;
} built;

static void setup(void)
{
	memset(&built, 0x5a, sizeof(built));
	page_tables_build(built.tables, BOOT_PAGES_BASE);
}

static uint64_t entry(uint64_t table, uint64_t index)
{
	ck_assert_uint_eq(table % 0x1000, 0);
	ck_assert_uint_ge(table, BOOT_PAGES_BASE);
	ck_assert_uint_lt(table, BOOT_PAGES_BASE + BOOT_PAGES_SIZE);
	return built.tables[(table - BOOT_PAGES_BASE) / 8 + index];
}

/* The physical address of a virtual one, or UINT64_MAX: a page fault. No entry sets a reserved bit. */
static uint64_t walk(uint64_t va)
{
	uint64_t table = BOOT_PAGES_BASE, value;

	for (unsigned shift = 39; shift > 21; shift -= 9) {
		value = entry(table, va >> shift & 511);
		if (!(value & PRESENT))
			return UINT64_MAX;
		ck_assert(value & WRITABLE);
		ck_assert_uint_eq(value & ~(ADDRESS | PRESENT | WRITABLE), 0);
		table = value & ADDRESS;
	}
	value = entry(table, va >> 21 & 511);
	if (!(value & PRESENT))
		return UINT64_MAX;
	ck_assert(value & WRITABLE);
	ck_assert_uint_eq(value & ~(ADDRESS | PRESENT | WRITABLE | LARGE), 0);
	ck_assert_msg(value & LARGE, "a 2 MiB page");
	ck_assert_uint_eq(value & ADDRESS & (MIB(2) - 1), 0);
	return (value & ADDRESS) + (va & (MIB(2) - 1));
}

START_TEST(first_four_gib_are_mapped_to_themselves)
{
	for (uint64_t va = 0; va < GIB(4); va += MIB(2)) {
		ck_assert_uint_eq(walk(va), va);
		ck_assert_uint_eq(walk(va + MIB(2) - 1), va + MIB(2) - 1);
	}
}
END_TEST

START_TEST(nothing_else_is_mapped)
{
	for (uint64_t va = GIB(4); va < GIB(512); va += GIB(1))
		ck_assert_uint_eq(walk(va), UINT64_MAX);
	for (uint64_t va = GIB(512); va < GIB(512) * 512; va += GIB(512))
		ck_assert_uint_eq(walk(va), UINT64_MAX);
}
END_TEST

START_TEST(tables_keep_to_their_place)
{
	ck_assert_uint_eq(built.guard, 0x5a5a5a5a5a5a5a5a);
}
END_TEST

Suite *page_tables_suite(void)
{
	Suite *suite = suite_create("x86/page_tables");
	TCase *tcase = tcase_create("page tables");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, first_four_gib_are_mapped_to_themselves);
	tcase_add_test(tcase, nothing_else_is_mapped);
	tcase_add_test(tcase, tables_keep_to_their_place);
	return suite;
}
