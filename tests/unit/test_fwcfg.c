/* fw_cfg, through its ports as a guest sees them (QEMU, docs/specs/fw_cfg.rst). */
#include "suites.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "devices/fwcfg.h"
#include "util/bytes.h"

static struct fwcfg fwcfg;
static struct bus bus;

/* Guest memory: 4 KiB that end at 5 GiB, to see the upper half of an address. */
#define MEMORY_BASE (GIB(5) - MEMORY_SIZE)

#define MEMORY_SIZE 4096

static uint8_t memory[MEMORY_SIZE + 16]; /* and some that the guest has not */

static void *memory_at(const void *ctx, uint64_t gpa, uint64_t len)
{
	ck_assert_ptr_eq(ctx, memory);
	ck_assert_uint_gt(len, 0);
	return range_inside(gpa, len, MEMORY_BASE, MEMORY_SIZE) ? memory + (gpa - MEMORY_BASE) : NULL;
}

static void setup(void)
{
	const struct fwcfg_config config = {
		.ram_size = 0x123456789a000, .cpus = 0x0204, .memory_at = memory_at, .memory_ctx = memory};

	memset(memory, 0xaa, sizeof(memory));
	fwcfg_init(&fwcfg, &config);
	ck_assert_int_eq(bus_attach(&bus, 0x510, 12, "fw-cfg", &fwcfg_ops, &fwcfg), 0);
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

START_TEST(signature_and_id_with_dma)
{
	expect(0x00, "QEMU", 4);
	expect(0x01, "\x03\0\0\0", 4);
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

/* DMA: the access lies at the memory's start, and what it returns there is its control word. */

#define DMA_ERROR  0x01u
#define DMA_READ   0x02u
#define DMA_SKIP   0x04u
#define DMA_SELECT 0x08u
#define DMA_WRITE  0x10u
#define DMA_KEY(n) ((uint32_t)(n) << 16)

static void write_address(uint64_t gpa)
{
	bus_write(&bus, 0x514, 4, htobe32((uint32_t)(gpa >> 32)));
	bus_write(&bus, 0x518, 4, htobe32((uint32_t)gpa));
}

static void put_access(unsigned at, uint32_t control, uint32_t len, uint64_t gpa)
{
	control = htobe32(control);
	len = htobe32(len);
	gpa = htobe64(gpa);
	memcpy(memory + at, &control, 4);
	memcpy(memory + at + 4, &len, 4);
	memcpy(memory + at + 8, &gpa, 8);
}

static uint32_t dma(uint32_t control, uint32_t len, uint64_t gpa)
{
	uint32_t done;

	put_access(0, control, len, gpa);
	write_address(MEMORY_BASE);
	memcpy(&done, memory, 4);
	return be32toh(done);
}

START_TEST(dma_is_announced_at_its_address)
{
	uint64_t value;

	bus_read(&bus, 0x514, 4, &value);
	ck_assert_uint_eq(value, 0x554d4551); /* "QEMU" */
	bus_read(&bus, 0x518, 4, &value);
	ck_assert_uint_eq(value, 0x47464320); /* " CFG" */
	bus_read(&bus, 0x51b, 1, &value);
	ck_assert_uint_eq(value, 'G');
	bus_read(&bus, 0x51a, 4, &value);
	ck_assert_uint_eq(value, 0xffffffff);
}
END_TEST

START_TEST(dma_reads_an_item_and_zeroes_behind_it)
{
	ck_assert_int_eq(fwcfg_add_file(&fwcfg, "opt/x", "1234567", 7), 0);
	ck_assert_uint_eq(dma(DMA_SELECT | DMA_READ | DMA_KEY(0x20), 10, MEMORY_BASE + 100), 0);
	ck_assert_mem_eq(memory + 99,
		"\xaa"
		"1234567\0\0\0\xaa",
		12);
}
END_TEST

START_TEST(dma_goes_on_where_the_last_read_ended)
{
	ck_assert_int_eq(fwcfg_add_file(&fwcfg, "opt/x", "1234567", 7), 0);
	bus_write(&bus, 0x510, 2, 0x20);
	ck_assert_uint_eq(next(), '1');
	ck_assert_uint_eq(dma(DMA_READ, 2, MEMORY_BASE + 100), 0);
	ck_assert_uint_eq(dma(DMA_SKIP, 2, 0), 0);
	ck_assert_uint_eq(next(), '6');
	ck_assert_mem_eq(memory + 100, "23\xaa", 3);
	/* One access may select, and then skip. */
	ck_assert_uint_eq(dma(DMA_SELECT | DMA_SKIP | DMA_KEY(0x20), 6, 0), 0);
	ck_assert_uint_eq(next(), '7');
}
END_TEST

START_TEST(dma_outside_memory_is_an_error_and_copies_nothing)
{
	const uint64_t bad[] = {
		0, MEMORY_BASE - 1, MEMORY_BASE + MEMORY_SIZE - 3, UINT64_MAX, UINT64_MAX - 2};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_uint_eq(dma(DMA_SELECT | DMA_READ | DMA_KEY(0), 4, bad[i]), DMA_ERROR);
		ck_assert_uint_eq(next(), 'Q');
	}
	ck_assert_uint_eq(dma(DMA_READ, UINT32_MAX, MEMORY_BASE), DMA_ERROR);
	for (unsigned i = 16; i < sizeof(memory); i++)
		ck_assert_uint_eq(memory[i], 0xaa);
}
END_TEST

START_TEST(nothing_can_be_written_by_dma)
{
	ck_assert_uint_eq(dma(DMA_SELECT | DMA_WRITE | DMA_KEY(0), 4, MEMORY_BASE + 100), DMA_ERROR);
	expect(0x00, "QEMU", 4);
}
END_TEST

START_TEST(dma_of_nothing_is_fine)
{
	ck_assert_uint_eq(dma(0, 4, UINT64_MAX), 0);
	ck_assert_uint_eq(dma(DMA_READ, 0, UINT64_MAX), 0);
	ck_assert_uint_eq(dma(DMA_SELECT | DMA_KEY(0x1234), 4, UINT64_MAX), 0);
	ck_assert_uint_eq(dma(DMA_READ, 4, MEMORY_BASE + 100), 0);
	ck_assert_mem_eq(memory + 100, "\0\0\0\0\xaa", 5);
}
END_TEST

START_TEST(dma_access_outside_memory_does_nothing)
{
	bus_write(&bus, 0x510, 2, 0);
	put_access(MEMORY_SIZE - 15, DMA_READ, 1, MEMORY_BASE);
	write_address(MEMORY_BASE + MEMORY_SIZE - 15);
	write_address(0);
	write_address(UINT64_MAX);
	for (unsigned i = 0; i < MEMORY_SIZE - 15; i++)
		ck_assert_uint_eq(memory[i], 0xaa);
	ck_assert_uint_eq(next(), 'Q');
}
END_TEST

START_TEST(dma_may_read_over_its_own_access)
{
	/* The lengths are as they were first; the control word says that it is done. */
	ck_assert_uint_eq(dma(DMA_SELECT | DMA_READ | DMA_KEY(0), 16, MEMORY_BASE), 0);
	ck_assert_mem_eq(memory + 4, "\0\0\0\0\0\0\0\0\0\0\0\0\xaa", 13);
}
END_TEST

START_TEST(upper_half_of_the_address_is_used_once)
{
	bus_write(&bus, 0x510, 2, 0);
	put_access(0, DMA_READ, 1, MEMORY_BASE + 100);
	write_address(MEMORY_BASE);
	ck_assert_uint_eq(memory[100], 'Q');
	put_access(0, DMA_READ, 1, MEMORY_BASE + 100);
	bus_write(&bus, 0x518, 4, htobe32((uint32_t)MEMORY_BASE));
	ck_assert_uint_eq(memory[100], 'Q');
	ck_assert_uint_eq(next(), 'E');
}
END_TEST

static unsigned signals;

static void count_signal(void *ctx)
{
	ck_assert_ptr_eq(ctx, &signals);
	signals++;
}

START_TEST(signal_file_tells_when_it_is_selected)
{
	signals = 0;
	ck_assert_int_eq(fwcfg_add_signal(&fwcfg, "opt/now", count_signal, &signals), 0);
	bus_write(&bus, 0x510, 2, 0x21);
	next();
	ck_assert_uint_eq(signals, 0);
	bus_write(&bus, 0x510, 2, 0x20);
	ck_assert_uint_eq(next(), 0);
	ck_assert_uint_eq(signals, 1);
	dma(DMA_SELECT | DMA_KEY(0x20), 0, 0);
	ck_assert_uint_eq(signals, 2);
}
END_TEST

START_TEST(items_that_are_no_files_have_their_keys)
{
	unsigned i;

	ck_assert_int_eq(fwcfg_add_bytes(&fwcfg, FW_CFG_KERNEL_DATA, "kernel", 6), 0);
	ck_assert_int_eq(fwcfg_add_number(&fwcfg, FW_CFG_KERNEL_SIZE, 0x12345678, 4), 0);
	expect(0x11, "kernel", 6);
	expect(0x08, "\x78\x56\x34\x12", 4);
	for (i = 0; !fwcfg_add_number(&fwcfg, FW_CFG_KERNEL_ADDR, 1, 4); i++)
		ck_assert_uint_lt(i, FWCFG_ITEMS_MAX);
	ck_assert_int_eq(fwcfg_add_number(&fwcfg, FW_CFG_KERNEL_ADDR, 1, 4), -ENOSPC);
	ck_assert_int_eq(fwcfg_add_file(&fwcfg, "opt/late", "", 0), -ENOSPC);
}
END_TEST

Suite *fwcfg_suite(void)
{
	Suite *suite = suite_create("fwcfg");
	TCase *tcase = tcase_create("fwcfg");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, signature_and_id_with_dma);
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
	tcase_add_test(tcase, dma_is_announced_at_its_address);
	tcase_add_test(tcase, dma_reads_an_item_and_zeroes_behind_it);
	tcase_add_test(tcase, dma_goes_on_where_the_last_read_ended);
	tcase_add_test(tcase, dma_outside_memory_is_an_error_and_copies_nothing);
	tcase_add_test(tcase, nothing_can_be_written_by_dma);
	tcase_add_test(tcase, dma_of_nothing_is_fine);
	tcase_add_test(tcase, dma_access_outside_memory_does_nothing);
	tcase_add_test(tcase, dma_may_read_over_its_own_access);
	tcase_add_test(tcase, upper_half_of_the_address_is_used_once);
	tcase_add_test(tcase, signal_file_tells_when_it_is_selected);
	tcase_add_test(tcase, items_that_are_no_files_have_their_keys);
	suite_add_tcase(suite, tcase);
	return suite;
}
