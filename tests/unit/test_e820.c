/* The memory map. */
#include "suites.h"

#include "util/bytes.h"
#include "x86/e820.h"
#include "x86/layout.h"

static const struct {
	uint64_t low, high;
} sizes[] = {
	{RAM_MIN, 0},
	{MIB(128), 0},
	{HOLE_BASE, 0},
	{HOLE_BASE, MIB(4)},
	{HOLE_BASE, RAM_MAX - HOLE_BASE},
};

static struct e820_entry map[E820_ENTRIES_MAX];

static uint64_t sum(unsigned count, uint32_t type)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < count; i++)
		total += map[i].type == type ? map[i].size : 0;
	return total;
}

static const struct e820_entry *entry_at(unsigned count, uint64_t addr)
{
	for (unsigned i = 0; i < count; i++)
		if (range_inside(addr, 1, map[i].base, map[i].size))
			return &map[i];
	return NULL;
}

START_TEST(entries_are_sorted_apart_and_not_empty)
{
	unsigned count = e820_build(map, sizes[_i].low, sizes[_i].high);

	ck_assert_uint_le(count, E820_ENTRIES_MAX);
	ck_assert_uint_eq(map[0].base, 0);
	for (unsigned i = 0; i < count; i++) {
		ck_assert_uint_gt(map[i].size, 0);
		ck_assert(map[i].type == E820_RAM || map[i].type == E820_RESERVED);
		if (i)
			ck_assert_uint_ge(map[i].base, map[i - 1].base + map[i - 1].size);
	}
}
END_TEST

START_TEST(ram_is_all_there_but_for_the_rom_area)
{
	unsigned count = e820_build(map, sizes[_i].low, sizes[_i].high);

	ck_assert_uint_eq(sum(count, E820_RAM), sizes[_i].low + sizes[_i].high - (RAM_HIGH - RAM_EBDA));
}
END_TEST

START_TEST(ram_is_where_the_machine_has_it)
{
	uint64_t low = sizes[_i].low, high = sizes[_i].high;
	unsigned count = e820_build(map, low, high);

	ck_assert_uint_eq(entry_at(count, RAM_EBDA - 1)->type, E820_RAM);
	ck_assert_uint_eq(entry_at(count, RAM_EBDA)->type, E820_RESERVED);
	ck_assert_uint_eq(entry_at(count, RAM_HIGH - 1)->type, E820_RESERVED);
	ck_assert_uint_eq(entry_at(count, RAM_HIGH)->type, E820_RAM);
	ck_assert_uint_eq(entry_at(count, low - 1)->type, E820_RAM);
	ck_assert_ptr_null(entry_at(count, low));
	ck_assert_ptr_null(entry_at(count, VIRTIO_MMIO_BASE));
	ck_assert_uint_eq(entry_at(count, KVM_IDENTITY_BASE)->type, E820_RESERVED);
	ck_assert_uint_eq(entry_at(count, KVM_TSS_BASE + 0x2fff)->type, E820_RESERVED);
	if (high) {
		ck_assert_uint_eq(entry_at(count, HOLE_END)->type, E820_RAM);
		ck_assert_uint_eq(entry_at(count, HOLE_END + high - 1)->type, E820_RAM);
	}
	ck_assert_ptr_null(entry_at(count, HOLE_END + high));
}
END_TEST

Suite *e820_suite(void)
{
	Suite *suite = suite_create("x86/e820");
	TCase *tcase = tcase_create("e820");

	suite_add_tcase(suite, tcase);
	tcase_add_loop_test(tcase, entries_are_sorted_apart_and_not_empty, 0, ARRAY_SIZE(sizes));
	tcase_add_loop_test(tcase, ram_is_all_there_but_for_the_rom_area, 0, ARRAY_SIZE(sizes));
	tcase_add_loop_test(tcase, ram_is_where_the_machine_has_it, 0, ARRAY_SIZE(sizes));
	return suite;
}
