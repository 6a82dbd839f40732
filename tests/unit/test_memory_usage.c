/* Memory usage: what is read out of a smaps, one that is made up and the process's own. */
#include "suites.h"

#include <string.h>

#include "memory/guest_memory.h"
#include "memory/memory_usage.h"
#include "util/bytes.h"

static struct guest_memory mem;
static struct memory_usage usage;

static void read_text(const char *smaps)
{
	FILE *file = fmemopen((void *)(uintptr_t)smaps, strlen(smaps), "r");

	ck_assert_ptr_nonnull(file);
	memset(&usage, 0xff, sizeof(usage));
	memory_usage_read(&mem, file, &usage);
	fclose(file);
}

static void set_up(void)
{
	mem = (struct guest_memory){
		.regions = {{.size = 0x100000, .hva = (uint8_t *)0x7f0000000000},
			{.size = 0x200000, .hva = (uint8_t *)0x7f1000000000}},
		.count = 2,
	};
}

START_TEST(guest_memory_is_told_from_the_rest)
{
	read_text("55d000000000-55d000100000 r-xp 00000000 08:01 42   /usr/bin/lodge\n"
		  "Size:               1024 kB\nRss:                 300 kB\nPss:  300 kB\n"
		  "Shared_Clean:        200 kB\nShared_Dirty:          0 kB\n"
		  "7f0000000000-7f0000100000 rw-p 00000000 00:00 0\n"
		  "Size: 1024 kB\nRss: 100 kB\nPss_Dirty: 9 kB\nShared_Clean: 8 kB\nShared_Dirty: 4 kB\n"
		  "7f1000000000-7f1000200000 rw-p 00000000 00:00 0 [anon:some name]\n"
		  "Rss: 2000 kB\nShared_Clean: 0 kB\nShared_Dirty: 16 kB\nSwap: 77 kB\n"
		  "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]\nRss: 0 kB\n");
	ck_assert_uint_eq(usage.resident, KIB(2100));
	ck_assert_uint_eq(usage.shared, KIB(28));
	ck_assert_uint_eq(usage.rest, KIB(300));
}
END_TEST

START_TEST(a_region_that_was_split_is_added_up)
{
	read_text("7f0000000000-7f0000040000 rw-p 00000000 00:00 0\nRss: 10 kB\n"
		  "7f0000040000-7f0000041000 ---p 00000000 00:00 0\nRss: 4 kB\n"
		  "7f0000041000-7f0000100000 rw-p 00000000 00:00 0\nRss: 20 kB\n");
	ck_assert_uint_eq(usage.resident, KIB(34));
	ck_assert_uint_eq(usage.rest, 0);
}
END_TEST

START_TEST(huge_pages_are_resident_too)
{
	read_text("7f0000000000-7f0000100000 rw-p 00000000 00:0f 77 /anon_hugepage (deleted)\nRss: 0 kB\n"
		  "Shared_Hugetlb: 0 kB\nPrivate_Hugetlb: 1024 kB\n");
	ck_assert_uint_eq(usage.resident, MIB(1));
	ck_assert_uint_eq(usage.rest, 0);
}
END_TEST

START_TEST(a_merged_mapping_is_shared_out_by_size)
{
	/* A quarter of it is ours. */
	read_text("7f0000000000-7f0000400000 rw-p 00000000 00:00 0\nRss: 4000 kB\nShared_Dirty: 400 kB\n");
	ck_assert_uint_eq(usage.resident, KIB(1000));
	ck_assert_uint_eq(usage.shared, KIB(100));
	ck_assert_uint_eq(usage.rest, KIB(3000));
}
END_TEST

START_TEST(odd_lines_and_long_names_mean_nothing)
{
	char text[2048];
	size_t len =
		(size_t)snprintf(text, sizeof(text), "Rss: 5 kB\n7f0000000000-7f0000100000 rw-p 0 08:01 1 ");

	memset(text + len, '/', 1000);
	strcpy(text + len + 1000, "\nVmFlags: rd wr mr\nRss:\nRss: many kB\n\n7f-\nRss: 12 kB\n");
	read_text(text);
	ck_assert_uint_eq(usage.resident, KIB(12));
	ck_assert_uint_eq(usage.rest, KIB(5));
}
END_TEST

START_TEST(what_a_guest_touches_becomes_resident)
{
	uint64_t before;
	FILE *smaps = fopen("/proc/self/smaps", "re");

	ck_assert_ptr_nonnull(smaps);
	mem = (struct guest_memory){0};
	ck_assert_int_eq(guest_memory_add(&mem, 0, MIB(64)), 0);
	memory_usage_read(&mem, smaps, &usage);
	before = usage.resident;
	ck_assert_uint_gt(usage.rest, KIB(100));
	memset(guest_memory_at(&mem, MIB(1), MIB(32)), 1, MIB(32));
	rewind(smaps);
	memory_usage_read(&mem, smaps, &usage);
	ck_assert_uint_ge(usage.resident, before + MIB(32));
	ck_assert_uint_le(usage.resident, before + MIB(37)); /* the host may give it large pages */
	fclose(smaps);
	guest_memory_fini(&mem);
}
END_TEST

Suite *memory_usage_suite(void)
{
	Suite *suite = suite_create("memory/memory_usage");
	TCase *tcase = tcase_create("smaps");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, guest_memory_is_told_from_the_rest);
	tcase_add_test(tcase, a_region_that_was_split_is_added_up);
	tcase_add_test(tcase, huge_pages_are_resident_too);
	tcase_add_test(tcase, a_merged_mapping_is_shared_out_by_size);
	tcase_add_test(tcase, odd_lines_and_long_names_mean_nothing);
	tcase_add_test(tcase, what_a_guest_touches_becomes_resident);
	return suite;
}
