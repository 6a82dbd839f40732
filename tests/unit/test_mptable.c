/* The MP table, read back by the offsets of Intel's MP specification 1.4. */
#include "suites.h"

#include <errno.h>
#include <string.h>

#include "util/bytes.h"
#include "x86/fdt.h"
#include "x86/layout.h"
#include "x86/mptable.h"

#define BASE 0xf0000u

static const struct hw_device devices[] = {
	{"serial", "ns16550a", HW_PIO, 0x3f8, 8, 4},
	{"rtc", "motorola,mc146818", HW_PIO, 0x70, 2, -1},
	{"virtio_mmio", "virtio,mmio", HW_MMIO, 0xd0000000, 0x200, 16},
	{"virtio_mmio", "virtio,mmio", HW_MMIO, 0xd0001000, 0x200, 17},
};

static struct mptable_config config;
static uint8_t memory[MPTABLE_SIZE];

static void setup(void)
{
	config = (struct mptable_config){
		.devices = devices, .device_count = ARRAY_SIZE(devices), .cpus = 3, .pic = true};
	memset(memory, 0xee, sizeof(memory));
}

static void build(void)
{
	ck_assert_int_eq(mptable_build(&config, memory, sizeof(memory), BASE), 0);
}

static uint32_t get(const uint8_t *bytes, unsigned offset, unsigned size)
{
	return (uint32_t)load_le(bytes + offset, size);
}

static uint8_t sum(const uint8_t *bytes, size_t len)
{
	uint8_t value = 0;

	while (len--)
		value = (uint8_t)(value + *bytes++);
	return value;
}

static const uint8_t *header(void)
{
	uint32_t at = get(memory, 4, 4);

	ck_assert_uint_ge(at, BASE + 16);
	ck_assert_uint_lt(at, BASE + MPTABLE_SIZE - 44);
	return memory + (at - BASE);
}

START_TEST(floating_pointer_leads_to_the_table)
{
	static const uint8_t features[5];

	build();
	ck_assert_mem_eq(memory, "_MP_", 4);
	ck_assert_uint_eq(memory[8], 1); /* paragraphs of 16 bytes */
	ck_assert_uint_eq(memory[9], 4);
	ck_assert_uint_eq(sum(memory, 16), 0);
	ck_assert_mem_eq(memory + 11, features, 5);
	ck_assert_mem_eq(header(), "PCMP", 4);
	ck_assert_uint_eq(header()[6], 4);
	ck_assert_uint_eq(sum(header(), get(header(), 4, 2)), 0);
	ck_assert_mem_eq(header() + 8, "LODGE   LODGE       ", 20);
	ck_assert_uint_eq(get(header(), 28, 4), 0);
	ck_assert_uint_eq(get(header(), 36, 4), 0xfee00000);
	ck_assert_uint_eq(get(header(), 40, 4), 0);
}
END_TEST

/* The entries in the order that the specification wants: by type. */
START_TEST(every_entry_is_as_it_should_be)
{
	static const uint8_t isa[] = {1, 0, 'I', 'S', 'A', ' ', ' ', ' '};
	static const uint8_t ioapic[] = {2, 0, 0x11, 1, 0, 0, 0xc0, 0xfe};
	static const uint8_t virtio[] = {3, 0, 5, 0, 0, 16, 0, 16, 3, 0, 5, 0, 0, 17, 0, 17};
	static const uint8_t lints[] = {4, 3, 0, 0, 0, 0, 0xff, 0, 4, 1, 0, 0, 0, 0, 0xff, 1};
	const uint8_t *entry;

	config.cpus = (unsigned)_i;
	build();
	ck_assert_uint_eq(get(header(), 34, 2), config.cpus + 2 + 15 + 2 + 2);
	entry = header() + 44;
	for (unsigned i = 0; i < config.cpus; i++, entry += 20) {
		ck_assert_uint_eq(entry[0], 0);
		ck_assert_uint_eq(entry[1], i);
		ck_assert_uint_eq(entry[2], 0x14);
		ck_assert_uint_eq(entry[3], i ? 1 : 3);
		ck_assert_uint_eq(get(entry, 4, 4), 0x600);
		ck_assert_uint_eq(get(entry, 8, 4), 0x301);
		ck_assert_uint_eq(load_le(entry + 12, 8), 0);
	}
	ck_assert_mem_eq(entry, isa, 8);
	ck_assert_mem_eq(entry + 8, ioapic, 8);
	entry += 16;
	for (unsigned i = 0; i < 16; i++) {
		const uint8_t line[] = {3, 0, 0, 0, 0, (uint8_t)i, 0, (uint8_t)i};

		if (i == 2)
			continue;
		ck_assert_mem_eq(entry, line, 8);
		entry += 8;
	}
	ck_assert_mem_eq(entry, virtio, sizeof(virtio));
	ck_assert_mem_eq(entry + sizeof(virtio), lints, sizeof(lints));
	ck_assert_ptr_eq(entry + sizeof(virtio) + sizeof(lints), header() + get(header(), 4, 2));
}
END_TEST

START_TEST(without_8259s_lint0_has_no_source)
{
	static const uint8_t nmi[] = {4, 1, 0, 0, 0, 0, 0xff, 1};
	const uint8_t *end;

	config.cpus = 1;
	config.pic = false;
	build();
	end = header() + get(header(), 4, 2);
	ck_assert_uint_eq(get(header(), 34, 2), 1 + 2 + 15 + 2 + 1);
	ck_assert_mem_eq(end - 8, nmi, 8);
	ck_assert_uint_eq(end[-16], 3);
}
END_TEST

START_TEST(largest_machine_fits_and_a_small_buffer_is_refused)
{
	struct hw_device all[24];
	uint8_t small[MPTABLE_SIZE + 1];
	size_t size;

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
		all[i] = devices[2];
	config = (struct mptable_config){.devices = all, .device_count = 24, .cpus = CPUS_MAX, .pic = true};
	build();
	for (size = 0; size <= MPTABLE_SIZE; size++) {
		small[size] = 0x5a;
		if (!mptable_build(&config, small, size, BASE))
			break;
		ck_assert_int_eq(mptable_build(&config, small, size, BASE), -ENOSPC);
		ck_assert_uint_eq(small[size], 0x5a);
	}
	ck_assert_uint_eq(size, 16 + get(header(), 4, 2));
	ck_assert_mem_eq(small, memory, size);
}
END_TEST

Suite *mptable_suite(void)
{
	Suite *suite = suite_create("x86/mptable");
	TCase *tcase = tcase_create("table");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, floating_pointer_leads_to_the_table);
	tcase_add_loop_test(tcase, every_entry_is_as_it_should_be, 1, CPUS_MAX + 1);
	tcase_add_test(tcase, without_8259s_lint0_has_no_source);
	tcase_add_test(tcase, largest_machine_fits_and_a_small_buffer_is_refused);
	return suite;
}
