/* AML, byte by byte as ACPI 6.4, 20.2 has it. */
#include "suites.h"

#include <string.h>

#include "util/bytes.h"
#include "x86/aml.h"

static uint8_t bytes[2 << 20];
static struct aml aml;

static void setup(void)
{
	aml = (struct aml){.bytes = bytes, .size = sizeof(bytes)};
	memset(bytes, 0xee, sizeof(bytes));
}

static void expect(const uint8_t *wanted, size_t len)
{
	ck_assert(!aml.full);
	ck_assert_uint_eq(aml.len, len);
	ck_assert_mem_eq(bytes, wanted, len);
}

#define EXPECT(...)                                     \
	do {                                            \
		const uint8_t wanted[] = {__VA_ARGS__}; \
		expect(wanted, sizeof(wanted));         \
	} while (0)

START_TEST(integers_take_the_shortest_form)
{
	aml_integer(&aml, 0);
	aml_integer(&aml, 1);
	aml_integer(&aml, 2);
	aml_integer(&aml, 0xff);
	aml_integer(&aml, 0x100);
	aml_integer(&aml, 0xffff);
	aml_integer(&aml, 0x12345);
	EXPECT(0, 1, 0x0a, 2, 0x0a, 0xff, 0x0b, 0, 1, 0x0b, 0xff, 0xff, 0x0c, 0x45, 0x23, 1, 0);
}
END_TEST

START_TEST(names_strings_and_ids)
{
	aml_name(&aml, "_HID");
	aml_eisa_id(&aml, "PNP0A3F");
	aml_string(&aml, "LNRO0005");
	EXPECT(8, '_', 'H', 'I', 'D', 0x0c, 0x41, 0xd0, 0x0a, 0x3f, 0x0d, 'L', 'N', 'R', 'O', '0', '0', '0',
		'5', 0);
}
END_TEST

START_TEST(what_has_a_length_nests)
{
	size_t scope = aml_open_scope(&aml, "_SB_"), device = aml_open_device(&aml, "DEV0"), package;

	aml_name(&aml, "_ABC");
	package = aml_open_package(&aml, 1);
	aml_integer(&aml, 7);
	aml_close(&aml, package);
	aml_close(&aml, device);
	aml_close(&aml, scope);
	EXPECT(0x10, 22, '_', 'S', 'B', '_', 0x5b, 0x82, 15, 'D', 'E', 'V', '0', 8, '_', 'A', 'B', 'C', 0x12,
		4, 1, 0x0a, 7);
}
END_TEST

/* PkgLength counts its own bytes, of which there are as many as it takes (ACPI 6.4, 20.2.4). */
static const struct {
	size_t content; /* what stands behind the length, the 4 bytes of the name counted */
	unsigned bytes;
	uint8_t length[4];
} lengths[] = {
	{62, 1, {63}},
	{63, 2, {0x41, 4}},
	{0xffd, 2, {0x4f, 0xff}},
	{0xffe, 3, {0x81, 0, 1}},
	{0xffffc, 3, {0x8f, 0xff, 0xff}},
	{0xffffd, 4, {0xc1, 0, 0, 1}},
};

START_TEST(lengths_grow_as_they_must)
{
	static uint8_t content[2 << 20];
	size_t mark = aml_open_scope(&aml, "_SB_"), inner = lengths[_i].content - 4, i;

	for (i = 0; i < inner; i++) {
		content[i] = (uint8_t)(i % 2);
		aml_integer(&aml, i % 2); /* a byte each */
	}
	aml_close(&aml, mark);
	ck_assert(!aml.full);
	ck_assert_uint_eq(aml.len, 1 + lengths[_i].bytes + lengths[_i].content);
	ck_assert_mem_eq(bytes + 1, lengths[_i].length, lengths[_i].bytes);
	ck_assert_mem_eq(bytes + 1 + lengths[_i].bytes, "_SB_", 4);
	ck_assert_mem_eq(bytes + 1 + lengths[_i].bytes + 4, content, inner);
}
END_TEST

START_TEST(buffers_tell_their_size)
{
	aml_buffer(&aml, "abc", 3);
	EXPECT(0x11, 6, 0x0a, 3, 'a', 'b', 'c');
}
END_TEST

START_TEST(methods_notify)
{
	size_t mark = aml_open_method(&aml, "_EVT", 1);

	aml_notify(&aml, "PWR0", 0x80);
	aml_close(&aml, mark);
	EXPECT(0x14, 13, '_', 'E', 'V', 'T', 0x09, 0x86, 'P', 'W', 'R', '0', 0x0a, 0x80);
}
END_TEST

START_TEST(resources)
{
	aml_resource_io(&aml, 0x3f8, 8);
	aml_resource_memory32(&aml, 0xd0001000, 0x200);
	aml_resource_interrupt(&aml, 17);
	aml_resource_end(&aml);
	EXPECT(0x47, 1, 0xf8, 3, 0xf8, 3, 1, 8, 0x86, 9, 0, 1, 0, 0x10, 0, 0xd0, 0, 2, 0, 0, 0x89, 6, 0, 3, 1,
		17, 0, 0, 0, 0x79, 0);
}
END_TEST

START_TEST(resources_of_a_bridge)
{
	/* WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 3, 6, 0, 4) */
	aml_resource_bus_numbers(&aml, 3, 4);
	/* DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite, 0, ...) */
	aml_resource_window32(&aml, 0xe1000000, 0x20000);
	EXPECT(0x88, 13, 0, 2, 0x0c, 0, 0, 0, 3, 0, 6, 0, 0, 0, 4, 0, 0x87, 23, 0, 0, 0x0c, 1, 0, 0, 0, 0, 0,
		0, 0, 0xe1, 0xff, 0xff, 1, 0xe1, 0, 0, 0, 0, 0, 0, 2, 0);
}
END_TEST

START_TEST(full_buffer_is_noted_and_not_overrun)
{
	size_t size;

	for (size = 0; size <= 20; size++) {
		size_t mark;

		setup();
		aml.size = size;
		mark = aml_open_device(&aml, "DEV0");
		aml_name(&aml, "_UID");
		aml_integer(&aml, 0x12345);
		aml_string(&aml, "ab");
		aml_close(&aml, mark);
		ck_assert_uint_eq(aml.full, size < 20 + 1);
		ck_assert_uint_eq(bytes[size], 0xee);
	}
}
END_TEST

Suite *aml_suite(void)
{
	Suite *suite = suite_create("x86/aml");
	TCase *tcase = tcase_create("encoding");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, integers_take_the_shortest_form);
	tcase_add_test(tcase, names_strings_and_ids);
	tcase_add_test(tcase, what_has_a_length_nests);
	tcase_add_loop_test(tcase, lengths_grow_as_they_must, 0, ARRAY_SIZE(lengths));
	tcase_add_test(tcase, buffers_tell_their_size);
	tcase_add_test(tcase, methods_notify);
	tcase_add_test(tcase, resources);
	tcase_add_test(tcase, resources_of_a_bridge);
	tcase_add_test(tcase, full_buffer_is_noted_and_not_overrun);
	return suite;
}
