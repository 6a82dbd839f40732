/* fw_cfg, through its two ports as a guest sees them (QEMU, docs/specs/fw_cfg.rst). */
#include "suites.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "devices/fwcfg.h"
#include "util/bytes.h"

static struct fwcfg fwcfg;
static struct bus bus;

static void setup(void)
{
	const struct fwcfg_config config = {.ram_size = 0x123456789a000, .cpus = 0x0204};

	fwcfg_init(&fwcfg, &config);
	ck_assert_int_eq(bus_attach(&bus, 0x510, 2, "fw-cfg", &fwcfg_ops, &fwcfg), 0);
}

static void teardown(void)
{
	fwcfg_fini(&fwcfg);
}

static uint8_t next(void)
{
	uint64_t value;

	bus_read(&bus, 0x511, 1, &value);
	return (uint8_t)value;
}

static void get(unsigned key, void *to, unsigned len)
{
	uint8_t *bytes = to;

	bus_write(&bus, 0x510, 2, key);
	while (len--)
		*bytes++ = next();
}

static void expect(unsigned key, const void *bytes, unsigned len)
{
	uint8_t got[128];

	/* All zeroes from its end on. */
	get(key, got, len + 16);
	ck_assert_mem_eq(got, bytes, len);
	for (unsigned i = len; i < len + 16; i++)
		ck_assert_uint_eq(got[i], 0);
}

START_TEST(signature_and_id_without_dma)
{
	expect(0x00, "QEMU", 4);
	expect(0x01, "\x01\0\0\0", 4);
}
END_TEST

START_TEST(numbers_are_little_endian)
{
	expect(0x03, "\x00\xa0\x89\x67\x45\x23\x01\x00", 8);
	expect(0x05, "\x04\x02", 2);
	expect(0x0f, "\x04\x02", 2);
}
END_TEST

START_TEST(first_item_is_the_signature)
{
	ck_assert_uint_eq(next(), 'Q');
	ck_assert_uint_eq(next(), 'E');
}
END_TEST

START_TEST(selecting_begins_anew_and_selects_for_writing_too)
{
	char got[2];

	get(0x00, got, 2);
	expect(0x00, "QEMU", 4);
	expect(0x4000, "QEMU", 4);
	expect(0x4005, "\x04\x02", 2);
}
END_TEST

START_TEST(unknown_keys_read_zeroes)
{
	for (unsigned key = 0; key <= 0xffff; key++) {
		unsigned item = key & 0xbfff;
		uint64_t value = 0;

		get(key, &value, sizeof(value));
		if (value && item != 0x00 && item != 0x01 && item != 0x03 && item != 0x05 && item != 0x0f)
			ck_abort_msg("key 0x%x", key);
	}
}
END_TEST

START_TEST(directory_is_empty_until_files_are_added)
{
	expect(0x19, "\0\0\0\0", 4);
	expect(0x20, "", 0);
	ck_assert_int_eq(fwcfg_add_file(&fwcfg, "etc/one", "1234567", 7), 0);
	ck_assert_int_eq(fwcfg_add_file(&fwcfg, "opt/two", "89", 2), 0);
	expect(0x20, "1234567", 7);
	expect(0x21, "89", 2);
	expect(0x22, "", 0);
	/* What is architecture-specific is another item. */
	expect(0x8020, "", 0);
}
END_TEST

START_TEST(directory_is_big_endian)
{
	static uint8_t large[0x10203];
	uint8_t want[4 + 2 * 64] = {0, 0, 0, 2}, *entry = want + 4;

	memcpy(entry, "\0\x01\x02\x03\0\x20\0\0etc/large", 17);
	memcpy(entry + 64, "\0\0\0\x01\0\x21\0\0b", 9);
	ck_assert_int_eq(fwcfg_add_file(&fwcfg, "etc/large", large, sizeof(large)), 0);
	ck_assert_int_eq(fwcfg_add_file(&fwcfg, "b", "x", 1), 0);
	uint8_t got[sizeof(want)];

	get(0x19, got, sizeof(got));
	ck_assert_mem_eq(got, want, sizeof(want));
}
END_TEST

START_TEST(full_directory_can_be_read_to_its_end)
{
	char name[16];
	uint8_t got[4 + 64 * FWCFG_FILES_MAX];

	for (unsigned i = 0; i < FWCFG_FILES_MAX; i++) {
		snprintf(name, sizeof(name), "file%u", i);
		ck_assert_int_eq(fwcfg_add_file(&fwcfg, name, "abc", i % 3), 0);
	}
	ck_assert_int_eq(fwcfg_add_file(&fwcfg, "more", "abc", 3), -ENOSPC);
	get(0x19, got, sizeof(got));
	ck_assert_uint_eq(got[3], FWCFG_FILES_MAX);
	ck_assert_str_eq((char *)got + 4 + 64 * (FWCFG_FILES_MAX - 1) + 8, name);
	for (unsigned i = 0; i < 100; i++)
		ck_assert_uint_eq(next(), 0);
	expect(0x20 + FWCFG_FILES_MAX, "", 0);
}
END_TEST

START_TEST(names_are_checked)
{
	char name[57];

	memset(name, 'n', sizeof(name));
	name[56] = '\0';
	ck_assert_int_eq(fwcfg_add_file(&fwcfg, name, "", 0), -EINVAL);
	name[55] = '\0';
	ck_assert_int_eq(fwcfg_add_file(&fwcfg, name, "", 0), 0);
	ck_assert_int_eq(fwcfg_add_file(&fwcfg, name, "", 0), -EEXIST);
	ck_assert_int_eq(fwcfg_add_file(&fwcfg, "", "", 0), -EINVAL);
	ck_assert_uint_eq(fwcfg.file_count, 1);
}
END_TEST

START_TEST(offset_never_wraps)
{
	bus_write(&bus, 0x510, 2, 0);
	fwcfg.state.offset = UINT32_MAX - 1;
	for (unsigned i = 0; i < 8; i++)
		ck_assert_uint_eq(next(), 0);
	ck_assert_uint_eq(fwcfg.state.offset, UINT32_MAX);
}
END_TEST

START_TEST(other_accesses_change_nothing)
{
	uint64_t value;

	bus_write(&bus, 0x510, 2, 0);
	bus_read(&bus, 0x510, 1, &value);
	ck_assert_uint_eq(value, 0xff);
	bus_read(&bus, 0x510, 2, &value);
	ck_assert_uint_eq(value, 0xffff);
	bus_read(&bus, 0x511, 2, &value);
	ck_assert_uint_eq(value, 0xffff);
	bus_write(&bus, 0x510, 1, 5);
	bus_write(&bus, 0x511, 1, 5);
	bus_write(&bus, 0x510, 4, 5);
	ck_assert_uint_eq(next(), 'Q');
}
END_TEST

Suite *fwcfg_suite(void)
{
	Suite *suite = suite_create("fwcfg");
	TCase *tcase = tcase_create("fwcfg");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, signature_and_id_without_dma);
	tcase_add_test(tcase, numbers_are_little_endian);
	tcase_add_test(tcase, first_item_is_the_signature);
	tcase_add_test(tcase, selecting_begins_anew_and_selects_for_writing_too);
	tcase_add_test(tcase, unknown_keys_read_zeroes);
	tcase_add_test(tcase, directory_is_empty_until_files_are_added);
	tcase_add_test(tcase, directory_is_big_endian);
	tcase_add_test(tcase, full_directory_can_be_read_to_its_end);
	tcase_add_test(tcase, names_are_checked);
	tcase_add_test(tcase, offset_never_wraps);
	tcase_add_test(tcase, other_accesses_change_nothing);
	suite_add_tcase(suite, tcase);
	return suite;
}
