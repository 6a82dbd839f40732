/* A firmware's ROM: which sizes it may have, and where its bytes go. */
#include "suites.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loader/image.h"
#include "loader/rom.h"
#include "memory/guest_memory.h"
#include "util/bytes.h"
#include "util/error.h"
#include "x86/layout.h"

static uint8_t bytes[KIB(256) + 1];
static struct image image;
static struct error error;

static int check(uint64_t size)
{
	image_from_bytes(&image, "a.rom", bytes, size);
	return rom_check(&image, &error);
}

START_TEST(rom_has_whole_segments_up_to_its_window)
{
	ck_assert_int_eq(check(KIB(64)), 0);
	ck_assert_int_eq(check(KIB(128)), 0);
	ck_assert_int_eq(check(KIB(256)), 0);
}
END_TEST

static const uint64_t bad[] = {
	0,
	1,
	KIB(4),
	KIB(64) - 1,
	KIB(64) + 1,
	KIB(68),
	KIB(256) + 1,
	KIB(320),
	UINT64_MAX,
};

START_TEST(other_sizes_are_refused)
{
	ck_assert_int_eq(check(bad[_i]), -ENOEXEC);
	ck_assert_int_eq(error.kind, ERROR_IMAGE);
	ck_assert_msg(strstr(error.text, "a.rom") && strstr(error.text, "64 KiB"), "%s", error.text);
}
END_TEST

/* 64 and 128 KiB are copied whole; of more, the last 128 KiB. */
START_TEST(last_part_is_copied_to_below_1_mib)
{
	uint64_t size = KIB(64) << _i, low = MIN(size, KIB(128));
	struct guest_memory mem = {0};
	uint8_t *high = malloc(size);
	const uint8_t *ram;

	for (uint64_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i / 4096 + 1);
	ck_assert_int_eq(guest_memory_add(&mem, 0, MIB(2)), 0);
	image_from_bytes(&image, "a.rom", bytes, size);
	ck_assert_int_eq(rom_load(&image, high, &mem, &error), 0);
	ck_assert_mem_eq(high, bytes, size);
	ram = guest_memory_at(&mem, 0, MIB(2));
	ck_assert_mem_eq(ram + MIB(1) - low, bytes + size - low, low);
	ck_assert_uint_eq(ram[MIB(1) - low - 1], 0);
	ck_assert_uint_eq(ram[MIB(1)], 0);
	guest_memory_fini(&mem);
	free(high);
}
END_TEST

Suite *rom_suite(void)
{
	Suite *suite = suite_create("loader/rom");
	TCase *tcase = tcase_create("rom");

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, rom_has_whole_segments_up_to_its_window);
	tcase_add_loop_test(tcase, other_sizes_are_refused, 0, ARRAY_SIZE(bad));
	tcase_add_loop_test(tcase, last_part_is_copied_to_below_1_mib, 0, 3);
	return suite;
}
