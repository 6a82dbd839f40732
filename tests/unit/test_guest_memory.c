#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/huge_pages.h"
#include "memory/guest_memory.h"
#include "memory/huge_pages.h"
#include "suites.h"
#include "util/bytes.h"

/* Low memory, a region that touches it, and one alone at the top of the address space. */
#define TOP (UINT64_MAX - 0x1fff)

static struct guest_memory mem;
static bool lent; /* there are huge pages */

static void set_up(void)
{
	mem = (struct guest_memory){0};
	ck_assert_int_eq(guest_memory_add(&mem, 0, 0x4000), 0);
	ck_assert_int_eq(guest_memory_add(&mem, 0x4000, 0x2000), 0);
	ck_assert_int_eq(guest_memory_add(&mem, TOP, 0x1000), 0);
}

static void tear_down(void)
{
	guest_memory_fini(&mem);
}

static const struct {
	const char *what;
	gpa_t gpa;
	uint64_t len;
	bool ok;
} doors[] = {
	{"the first byte", 0, 1, true},
	{"a whole region", 0, 0x4000, true},
	{"the last byte of a region", 0x3fff, 1, true},
	{"the first byte of the next region", 0x4000, 1, true},
	{"the last region", TOP, 0x1000, true},
	{"no bytes", 0x100, 0, false},
	{"no bytes at a region's end", 0x4000, 0, false},
	{"two regions that touch", 0x3fff, 2, false},
	{"more than a region", 0, 0x4001, false},
	{"the hole", 0x6000, 1, false},
	{"into the hole", 0x5fff, 2, false},
	{"wraps to the start", TOP + 0xfff, 0x2000, false},
	{"wraps exactly to address 0", TOP, 0x2000, false},
	{"wraps all the way round", 0x100, UINT64_MAX, false},
	{"ends where it starts", 0x100, UINT64_MAX - 0xff, false},
	{"the last byte there is", UINT64_MAX, 1, false},
};

START_TEST(only_bytes_of_one_region_pass_the_door)
{
	const void *at = guest_memory_at(&mem, doors[_i].gpa, doors[_i].len);

	ck_assert_msg(!!at == doors[_i].ok, "%s", doors[_i].what);
}
END_TEST

START_TEST(the_door_leads_to_the_right_byte)
{
	ck_assert_ptr_eq(guest_memory_at(&mem, 0x123, 1), mem.regions[0].hva + 0x123);
	ck_assert_ptr_eq(guest_memory_at(&mem, 0x4123, 1), mem.regions[1].hva + 0x123);
	ck_assert_ptr_eq(guest_memory_at(&mem, TOP + 5, 1), mem.regions[2].hva + 5);
}
END_TEST

START_TEST(memory_starts_as_zeroes_and_keeps_what_is_written)
{
	uint64_t value = 1;

	ck_assert_int_eq(guest_memory_read(&mem, 0x3ff8, &value, 8), 0);
	ck_assert_uint_eq(value, 0);
	value = 0x1122334455667788;
	ck_assert_int_eq(guest_memory_write(&mem, 0x3ff8, &value, 8), 0);
	value = 0;
	ck_assert_int_eq(guest_memory_read(&mem, 0x3ff8, &value, 8), 0);
	ck_assert_uint_eq(value, 0x1122334455667788);
	ck_assert_uint_eq(mem.regions[0].hva[0x3ff8], 0x88);
}
END_TEST

START_TEST(a_copy_that_leaves_a_region_copies_nothing)
{
	uint8_t bytes[16];

	memset(bytes, 0xaa, sizeof(bytes));
	ck_assert_int_eq(guest_memory_write(&mem, 0x3ff8, bytes, 16), -EFAULT);
	ck_assert_uint_eq(mem.regions[0].hva[0x3ff8], 0);
	ck_assert_int_eq(guest_memory_read(&mem, 0x3ff8, bytes, 16), -EFAULT);
	ck_assert_uint_eq(bytes[0], 0xaa);
}
END_TEST

START_TEST(a_copy_of_no_bytes_succeeds_anywhere)
{
	ck_assert_int_eq(guest_memory_read(&mem, 0x6000, NULL, 0), 0);
	ck_assert_int_eq(guest_memory_write(&mem, UINT64_MAX, NULL, 0), 0);
}
END_TEST

static const struct {
	const char *what;
	gpa_t gpa;
	uint64_t size;
} bad_regions[] = {
	{"empty", 0x10000, 0},
	{"size not in pages", 0x10000, 0x1001},
	{"address not in pages", 0x10800, 0x1000},
	{"wraps", UINT64_MAX - 0xfff, 0x1000},
	{"wraps far", 0x10000, UINT64_MAX - 0xfff},
	{"the same again", 0, 0x4000},
	{"overlaps an end", 0x3000, 0x1000},
	{"holds another", 0, 0x10000},
};

START_TEST(a_bad_region_is_refused)
{
	int r = guest_memory_add(&mem, bad_regions[_i].gpa, bad_regions[_i].size);

	ck_assert_msg(r == -EINVAL, "%s: %d", bad_regions[_i].what, r);
	ck_assert_uint_eq(mem.count, 3);
}
END_TEST

START_TEST(a_region_too_many_is_refused)
{
	ck_assert_int_eq(guest_memory_add(&mem, 0x10000, 0x1000), 0);
	ck_assert_int_eq(guest_memory_add(&mem, 0x20000, 0x1000), -ENOSPC);
	ck_assert_uint_eq(guest_memory_size(&mem), 0x4000 + 0x2000 + 0x1000 + 0x1000);
}
END_TEST

START_TEST(memory_that_the_host_cannot_map_is_enomem)
{
	ck_assert_int_eq(guest_memory_add(&mem, 0x10000, UINT64_C(1) << 60), -ENOMEM);
	ck_assert_uint_eq(mem.count, 3);
}
END_TEST

START_TEST(far_more_than_the_host_has_can_be_reserved)
{
	ck_assert_int_eq(guest_memory_add(&mem, GIB(4), GIB(256)), 0);
	ck_assert_ptr_nonnull(guest_memory_at(&mem, GIB(4) + GIB(256) - 1, 1));
}
END_TEST

/* That KVM forgets it is seen on real hardware only; here, that nothing else comes of it. */
START_TEST(a_flushed_page_keeps_its_bytes_and_rights)
{
	uint8_t *page = guest_memory_at(&mem, mem.regions[0].gpa, 0x1000);

	memset(page, 0x5a, 0x1000);
	ck_assert_int_eq(guest_memory_flush_page(&mem, mem.regions[0].gpa + 0xfff), 0);
	for (unsigned i = 0; i < 0x1000; i++)
		ck_assert_uint_eq(page[i], 0x5a);
	page[0] = 1;
}
END_TEST

START_TEST(a_page_without_memory_is_not_flushed)
{
	ck_assert_int_eq(guest_memory_flush_page(&mem, UINT64_MAX), -EFAULT);
	ck_assert_int_eq(guest_memory_flush_page(&mem, GIB(4) - 1), -EFAULT);
}
END_TEST

START_TEST(large_memory_begins_at_a_huge_page)
{
	struct guest_memory large = {0};

	/* Odd sizes, which no kernel aligns by itself. */
	for (unsigned i = 0; i < GUEST_REGIONS_MAX; i++) {
		ck_assert_int_eq(guest_memory_add(&large, GIB(i), MIB(2) + i * 0x3000), 0);
		ck_assert_uint_eq((uintptr_t)large.regions[i].hva % HUGE_PAGE_SIZE, 0);
		memset(large.regions[i].hva, 1, large.regions[i].size);
	}
	guest_memory_fini(&large);
}
END_TEST

/* Whether /proc/self/smaps has the kernel advised to put the byte at hva into a transparent huge page. */
static bool is_advised(const uint8_t *hva)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	unsigned long start, end;
	bool here = false, advised = false;
	char line[512];

	ck_assert_ptr_nonnull(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2 && strchr(line, '-') < strchr(line, ' '))
			here = (uintptr_t)hva >= start && (uintptr_t)hva < end;
		else if (here && !strncmp(line, "VmFlags:", 8))
			advised = strstr(line, " hg") != NULL;
	}
	fclose(smaps);
	return advised;
}

/* Else each idle lodger would take 2 MiB, ten times what it touches. */
START_TEST(huge_pages_are_advised_from_16_mib_on)
{
	struct guest_memory large = {0};

	if (access("/sys/kernel/mm/transparent_hugepage", F_OK)) {
		printf("SKIPPED: huge_pages_are_advised_from_16_mib_on: this kernel has none\n");
		return;
	}
	ck_assert_int_eq(guest_memory_add(&large, 0, MIB(20)), 0);
	ck_assert_int_eq(guest_memory_add(&large, GIB(4), MIB(4)), 0);
	ck_assert(!is_advised(large.regions[0].hva + MIB(16) - 1));
	ck_assert(is_advised(large.regions[0].hva + MIB(16)));
	ck_assert(is_advised(large.regions[0].hva + MIB(20) - 1));
	ck_assert(is_advised(large.regions[1].hva));
	guest_memory_fini(&large);
}
END_TEST

static void lend_huge_pages(void)
{
	lent = huge_pages_lend(4);
	if (!lent)
		printf("SKIPPED: huge pages: this host has none, and does not set any aside for this user\n");
}

static void read_huge_pages(struct huge_pages *ret_pages)
{
	struct huge_pages_files files;

	huge_pages_open(&files);
	huge_pages_read(&files, ret_pages);
	huge_pages_close(&files);
}

START_TEST(huge_pages_are_taken_at_once_and_flushed_as_a_whole)
{
	struct guest_memory huge = {0};
	struct huge_pages before, after;

	if (!lent)
		return;
	read_huge_pages(&before);
	ck_assert_uint_ge(before.left, 4);
	ck_assert_int_eq(guest_memory_add_huge(&huge, MIB(2), MIB(4)), 0);
	read_huge_pages(&after);
	ck_assert_uint_eq(after.left, before.left - 2);
	huge.regions[0].hva[MIB(2)] = 0x5a;
	ck_assert_int_eq(guest_memory_flush_page(&huge, MIB(4) + 12345), 0);
	ck_assert_uint_eq(huge.regions[0].hva[MIB(2)], 0x5a);
	guest_memory_fini(&huge);
	read_huge_pages(&after);
	ck_assert_uint_eq(after.left, before.left);
}
END_TEST

START_TEST(huge_pages_that_are_not_there_are_enomem)
{
	struct huge_pages pages;

	read_huge_pages(&pages);
	ck_assert_int_eq(guest_memory_add_huge(&mem, MIB(2), (pages.left + 1) * HUGE_PAGE_SIZE), -ENOMEM);
	ck_assert_int_eq(guest_memory_add_huge(&mem, MIB(2), MIB(3)), -EINVAL);
	ck_assert_int_eq(guest_memory_add_huge(&mem, MIB(3), MIB(2)), -EINVAL);
	ck_assert_uint_eq(mem.count, 3);
}
END_TEST

START_TEST(fini_accepts_empty_memory_and_leaves_it_so)
{
	struct guest_memory empty = {0};

	guest_memory_fini(&empty);
	guest_memory_fini(&mem);
	ck_assert_uint_eq(mem.count, 0);
	ck_assert_ptr_null(guest_memory_at(&mem, 0, 1));
}
END_TEST

START_TEST(rom_is_only_read)
{
	char bytes[8];

	ck_assert_int_eq(guest_memory_add_rom(&mem, 0x10000, 0x800), -EINVAL);
	ck_assert_int_eq(guest_memory_add_rom(&mem, 0x10000, 0x1000), 0);
	ck_assert_int_eq(guest_memory_add_rom(&mem, 0x20000, 0x1000), -ENOSPC);
	memcpy(mem.rom.hva + 0xff8, "the rom!", 8);
	ck_assert_int_eq(guest_memory_read(&mem, 0x10ff8, bytes, 8), 0);
	ck_assert_mem_eq(bytes, "the rom!", 8);
	ck_assert_int_eq(guest_memory_read(&mem, 0x10ff9, bytes, 8), -EFAULT);
	ck_assert_int_eq(guest_memory_read(&mem, 0xffff, bytes, 2), -EFAULT);
	ck_assert_int_eq(guest_memory_write(&mem, 0x10ff8, bytes, 1), -EFAULT);
	ck_assert_ptr_null(guest_memory_at(&mem, 0x10ff8, 1));
	ck_assert_uint_eq(guest_memory_size(&mem), 0x7000);
	guest_memory_fini(&mem);
	ck_assert_int_eq(guest_memory_read(&mem, 0x10ff8, bytes, 8), -EFAULT);
}
END_TEST

Suite *guest_memory_suite(void)
{
	Suite *suite = suite_create("guest_memory");
	TCase *tc = tcase_create("guest_memory");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, rom_is_only_read);
	tcase_add_loop_test(tc, only_bytes_of_one_region_pass_the_door, 0, ARRAY_SIZE(doors));
	tcase_add_test(tc, the_door_leads_to_the_right_byte);
	tcase_add_test(tc, memory_starts_as_zeroes_and_keeps_what_is_written);
	tcase_add_test(tc, a_copy_that_leaves_a_region_copies_nothing);
	tcase_add_test(tc, a_copy_of_no_bytes_succeeds_anywhere);
	tcase_add_loop_test(tc, a_bad_region_is_refused, 0, ARRAY_SIZE(bad_regions));
	tcase_add_test(tc, a_region_too_many_is_refused);
	tcase_add_test(tc, memory_that_the_host_cannot_map_is_enomem);
	tcase_add_test(tc, far_more_than_the_host_has_can_be_reserved);
	tcase_add_test(tc, a_flushed_page_keeps_its_bytes_and_rights);
	tcase_add_test(tc, a_page_without_memory_is_not_flushed);
	tcase_add_test(tc, fini_accepts_empty_memory_and_leaves_it_so);
	tcase_add_test(tc, large_memory_begins_at_a_huge_page);
	tcase_add_test(tc, huge_pages_are_advised_from_16_mib_on);
	tcase_add_unchecked_fixture(tc, lend_huge_pages, huge_pages_return);
	tcase_add_test(tc, huge_pages_are_taken_at_once_and_flushed_as_a_whole);
	tcase_add_test(tc, huge_pages_that_are_not_there_are_enomem);
	suite_add_tcase(suite, tc);
	return suite;
}
