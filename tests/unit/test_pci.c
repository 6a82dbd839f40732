/* PCI: a function's configuration space (PCI 3.0, 6.1, 6.2, 6.7), and the host bridge in front (3.2.2.3.2). */
#include "suites.h"

#include <linux/pci_regs.h>

#include "bus/pci_host.h"
#include "util/bytes.h"

#define PORT   0xcf8u
#define WINDOW 0xcfcu
#define ENABLE 0x80000000u
#define DEVICE 5u
#define BAR    0xe0008000u
#define SIZE   0x4000u

static struct pci_host host;
static struct pci_function function;
static struct bus bus;

/* What the function was told of. */
static struct {
	unsigned readings, writings;
	unsigned offset, size;
	uint8_t answer; /* if not 0, what reading() leaves at 0xff */
} seen;

static void reading(void *dev, unsigned offset, unsigned size)
{
	ck_assert_ptr_eq(dev, &seen);
	seen.readings++;
	seen.offset = offset;
	seen.size = size;
	if (seen.answer)
		function.space[0xff] = seen.answer;
}

static void written(void *dev, unsigned offset, unsigned size)
{
	ck_assert_ptr_eq(dev, &seen);
	seen.writings++;
	seen.offset = offset;
	seen.size = size;
}

static const struct pci_function_ops ops = {.reading = reading, .written = written};

static void setup(void)
{
	const struct pci_function_id id = {.vendor = 0x1234,
		.device = 0x5678,
		.subsystem_vendor = 0x9abc,
		.subsystem = 0xdef0,
		.class_code = 0x010203,
		.revision = 7};

	pci_host_init(&host);
	pci_function_init(&function, &id, &ops, &seen);
	pci_host_add(&host, DEVICE, &function);
	ck_assert_int_eq(bus_attach(&bus, PORT, 8, "pci-host", &pci_host_ops, &host), 0);
}

static void teardown(void)
{
	pci_host_fini(&host);
}

static uint32_t in(uint64_t port, unsigned size)
{
	uint64_t value;

	ck_assert_int_eq(bus_read(&bus, port, size, &value), 0);
	return (uint32_t)value;
}

static void out(uint64_t port, unsigned size, uint32_t value)
{
	ck_assert_int_eq(bus_write(&bus, port, size, value), 0);
}

static void select_at(unsigned device, unsigned offset)
{
	out(PORT, 4, ENABLE | device << 11 | (offset & 0xfc));
}

static uint32_t get(unsigned offset, unsigned size)
{
	select_at(DEVICE, offset);
	return in(WINDOW + offset % 4, size);
}

static void put(unsigned offset, unsigned size, uint32_t value)
{
	select_at(DEVICE, offset);
	out(WINDOW + offset % 4, size, value);
}

START_TEST(a_function_tells_who_it_is)
{
	ck_assert_uint_eq(get(PCI_VENDOR_ID, 4), 0x56781234);
	ck_assert_uint_eq(get(PCI_SUBSYSTEM_VENDOR_ID, 4), 0xdef09abc);
	ck_assert_uint_eq(get(PCI_CLASS_REVISION, 4), 0x01020307);
	ck_assert_uint_eq(get(PCI_HEADER_TYPE, 1), 0); /* a type 0 header, of a device with one function */
	ck_assert_uint_eq(get(PCI_INTERRUPT_PIN, 1), 0);
	ck_assert_uint_eq(get(PCI_STATUS, 2), 0); /* no capabilities */
}
END_TEST

START_TEST(the_bridge_is_device_0)
{
	select_at(0, PCI_VENDOR_ID);
	ck_assert_uint_eq(in(WINDOW, 4), 0x0d578086);
	select_at(0, PCI_CLASS_REVISION);
	ck_assert_uint_eq(in(WINDOW, 4), 0x06000000);
}
END_TEST

/* Each bit of configuration space, but for those that a driver may change. */
START_TEST(read_only_bits_stay)
{
	uint8_t before[PCI_CONFIG_SIZE];

	pci_function_set_bar(&function, BAR, SIZE);
	pci_function_add_capability(&function, 0x11, "0123456789", 12);
	memcpy(before, function.space, sizeof(before));
	for (unsigned value = 0; value < 2; value++) {
		for (unsigned offset = 0; offset < PCI_CONFIG_SIZE; offset += 4)
			put(offset, 4, value - 1);
		/* Memory and bus mastering; latencies, lines and the BAR's address. */
		memcpy(function.space + PCI_COMMAND, before + PCI_COMMAND, 1);
		memcpy(function.space + PCI_BASE_ADDRESS_0, before + PCI_BASE_ADDRESS_0, 4);
		function.space[PCI_CACHE_LINE_SIZE] = function.space[PCI_INTERRUPT_LINE] = 0;
		ck_assert_mem_eq(function.space, before, sizeof(before));
	}
}
END_TEST

START_TEST(a_driver_changes_only_its_bits_of_the_command)
{
	put(PCI_COMMAND, 2, 0xffff);
	ck_assert_uint_eq(get(PCI_COMMAND, 2), PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	put(PCI_COMMAND, 2, 0);
	ck_assert_uint_eq(get(PCI_COMMAND, 2), 0);
	put(PCI_INTERRUPT_LINE, 1, 0x2b);
	ck_assert_uint_eq(get(PCI_INTERRUPT_LINE, 1), 0x2b);
}
END_TEST

START_TEST(more_may_be_allowed)
{
	pci_function_allow(&function, 0x80, 0x00ff00f0, 4);
	put(0x80, 4, UINT32_MAX);
	ck_assert_uint_eq(get(0x80, 4), 0x00ff00f0);
	put(0x82, 1, 0x12);
	ck_assert_uint_eq(get(0x80, 4), 0x001200f0);
}
END_TEST

/* 6.2.5.1, as every driver does it. */
START_TEST(a_bar_tells_its_size_and_is_put_back)
{
	pci_function_set_bar(&function, BAR, SIZE);
	ck_assert_uint_eq(get(PCI_BASE_ADDRESS_0, 4), BAR);
	put(PCI_BASE_ADDRESS_0, 4, UINT32_MAX);
	ck_assert_uint_eq(get(PCI_BASE_ADDRESS_0, 4), ~(SIZE - 1));
	put(PCI_BASE_ADDRESS_0, 4, 0);
	ck_assert_uint_eq(get(PCI_BASE_ADDRESS_0, 4), 0); /* its type: 32 bits of memory, not prefetchable */
	put(PCI_BASE_ADDRESS_0, 4, BAR);
	ck_assert_uint_eq(get(PCI_BASE_ADDRESS_0, 4), BAR);
	for (unsigned other = PCI_BASE_ADDRESS_1; other <= PCI_BASE_ADDRESS_5; other += 4) {
		put(other, 4, UINT32_MAX);
		ck_assert_uint_eq(get(other, 4), 0);
	}
	put(PCI_ROM_ADDRESS, 4, UINT32_MAX);
	ck_assert_uint_eq(get(PCI_ROM_ADDRESS, 4), 0);
}
END_TEST

START_TEST(a_bar_decodes_at_home_and_while_memory_is_on)
{
	ck_assert(!pci_function_decodes(&function, 0));
	pci_function_set_bar(&function, BAR, SIZE);
	ck_assert_uint_eq(get(PCI_COMMAND, 2), PCI_COMMAND_MEMORY); /* as after a firmware */
	ck_assert(pci_function_decodes(&function, BAR));
	put(PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	ck_assert(!pci_function_decodes(&function, BAR));
	put(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	put(PCI_BASE_ADDRESS_0 + 3, 1, 0xd0);
	ck_assert(!pci_function_decodes(&function, BAR));
	put(PCI_BASE_ADDRESS_0, 4, UINT32_MAX);
	ck_assert(!pci_function_decodes(&function, BAR));
	put(PCI_BASE_ADDRESS_0, 4, BAR);
	ck_assert(pci_function_decodes(&function, BAR));
}
END_TEST

START_TEST(the_list_of_capabilities_walks)
{
	static const struct {
		uint8_t id;
		unsigned size;
	} added[] = {{0x11, 12}, {0x09, 17}, {0x05, 4}};
	unsigned at[ARRAY_SIZE(added)];
	unsigned next;

	for (unsigned i = 0; i < ARRAY_SIZE(added); i++)
		at[i] = pci_function_add_capability(
			&function, added[i].id, "abcdefghijklmnopqrst", added[i].size);
	ck_assert_uint_eq(get(PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
	next = get(PCI_CAPABILITY_LIST, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(added); i++) {
		ck_assert_uint_eq(next, at[i]);
		ck_assert_uint_ge(next, PCI_STD_HEADER_SIZEOF);
		ck_assert_uint_eq(next % 4, 0); /* 6.7: the low two bits are 0 */
		ck_assert_uint_eq(get(next, 1), added[i].id);
		ck_assert_mem_eq(function.space + next + 2, "abcdefghijklmnopqrst", added[i].size - 2);
		if (i > 0)
			ck_assert_uint_ge(next, at[i - 1] + added[i - 1].size);
		next = get(next + PCI_CAP_LIST_NEXT, 1);
	}
	ck_assert_uint_eq(next, 0);
}
END_TEST

START_TEST(bytes_words_and_dwords_lie_in_the_window)
{
	pci_function_allow(&function, 0xfc, UINT32_MAX, 4);
	put(0xfc, 4, 0x44332211);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_eq(get(0xfc + i, 1), 0x11 * (i + 1));
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(get(0xfc + i, 2), 0x11 * (i + 1) + (0x1100 * (i + 2)));
	put(0xfd, 2, 0x6655);
	ck_assert_uint_eq(get(0xfc, 4), 0x44665511);
	put(0xff, 1, 0x77);
	ck_assert_uint_eq(get(0xfc, 4), 0x77665511);
	/* And no further: configuration space ends there. */
	seen.readings = seen.writings = 0;
	select_at(DEVICE, 0xfc);
	ck_assert_uint_eq(in(WINDOW + 1, 4), UINT32_MAX);
	ck_assert_uint_eq(in(WINDOW + 3, 2), 0xffff);
	out(WINDOW + 2, 4, 0);
	ck_assert_uint_eq(seen.readings + seen.writings, 0);
	ck_assert_uint_eq(get(0xfc, 4), 0x77665511);
}
END_TEST

START_TEST(a_function_is_told_before_a_read_and_after_a_write)
{
	pci_function_allow(&function, 0xfc, UINT32_MAX, 4);
	seen.answer = 0x99;
	ck_assert_uint_eq(get(0xfe, 2), 0x9900);
	ck_assert_uint_eq(seen.readings, 1);
	ck_assert_uint_eq(seen.offset, 0xfe);
	ck_assert_uint_eq(seen.size, 2);
	put(0xfd, 1, 0x12);
	ck_assert_uint_eq(seen.writings, 1);
	ck_assert_uint_eq(seen.offset, 0xfd);
	ck_assert_uint_eq(seen.size, 1);
}
END_TEST

/* Whatever the register names beside them: nobody answers, nobody takes. */
static const struct {
	const char *what;
	uint32_t address;
} nobodies[] = {
	{"not enabled", DEVICE << 11},
	{"bus 1", ENABLE | 1 << 16 | DEVICE << 11},
	{"bus 255", ENABLE | 0xff << 16 | DEVICE << 11},
	{"function 1", ENABLE | DEVICE << 11 | 1 << 8},
	{"function 7", ENABLE | DEVICE << 11 | 7 << 8},
	{"an absent device", ENABLE | (DEVICE + 1) << 11},
	{"the last device", ENABLE | 31 << 11},
	{"nothing at all", 0},
};

START_TEST(who_is_not_there_reads_all_ones_and_takes_nothing)
{
	struct pci_function before = function;
	static const unsigned sizes[] = {1, 2, 4};

	out(PORT, 4, nobodies[_i].address | PCI_COMMAND);
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		ck_assert_msg(in(WINDOW, sizes[i]) == (uint32_t)all_ones(sizes[i]), "%s", nobodies[_i].what);
		out(WINDOW, sizes[i], UINT32_MAX);
	}
	ck_assert_mem_eq(&function, &before, sizeof(before));
	ck_assert_uint_eq(seen.readings + seen.writings, 0);
}
END_TEST

START_TEST(the_register_takes_32_bits_and_nothing_else)
{
	out(PORT, 4, UINT32_MAX);
	ck_assert_uint_eq(in(PORT, 4), 0x80fffffc); /* reserved bits read 0 */
	out(PORT, 4, ENABLE | DEVICE << 11);
	for (unsigned i = 0; i < 4; i++) {
		out(PORT + i, 1, 1); /* Linux does, at 0xcfb, when it looks for mechanism #1 */
		ck_assert_uint_eq(in(PORT + i, 1), 0xff);
	}
	for (unsigned i = 0; i < 3; i++) {
		out(PORT + i, 2, 0x5555);
		ck_assert_uint_eq(in(PORT + i, 2), 0xffff);
	}
	/* What hangs over into the window is two accesses of a narrower kind on a PC's bus. */
	for (unsigned i = 1; i < 4; i++) {
		out(PORT + i, 4, 0x55555555);
		ck_assert_uint_eq(in(PORT + i, 4), UINT32_MAX);
	}
	ck_assert_uint_eq(in(PORT, 4), ENABLE | DEVICE << 11);
	ck_assert_uint_eq(seen.readings + seen.writings, 0);
}
END_TEST

START_TEST(a_zeroed_bridge_can_be_finished_and_so_can_one_twice)
{
	struct pci_host zeroed = {0};

	pci_host_fini(&zeroed);
	pci_host_fini(&host);
	pci_host_fini(&host);
}
END_TEST

Suite *pci_suite(void)
{
	Suite *suite = suite_create("devices/pci");
	TCase *tcase = tcase_create("pci");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_function_tells_who_it_is);
	tcase_add_test(tcase, the_bridge_is_device_0);
	tcase_add_test(tcase, read_only_bits_stay);
	tcase_add_test(tcase, a_driver_changes_only_its_bits_of_the_command);
	tcase_add_test(tcase, more_may_be_allowed);
	tcase_add_test(tcase, a_bar_tells_its_size_and_is_put_back);
	tcase_add_test(tcase, a_bar_decodes_at_home_and_while_memory_is_on);
	tcase_add_test(tcase, the_list_of_capabilities_walks);
	tcase_add_test(tcase, bytes_words_and_dwords_lie_in_the_window);
	tcase_add_test(tcase, a_function_is_told_before_a_read_and_after_a_write);
	tcase_add_loop_test(
		tcase, who_is_not_there_reads_all_ones_and_takes_nothing, 0, ARRAY_SIZE(nobodies));
	tcase_add_test(tcase, the_register_takes_32_bits_and_nothing_else);
	tcase_add_test(tcase, a_zeroed_bridge_can_be_finished_and_so_can_one_twice);
	return suite;
}
