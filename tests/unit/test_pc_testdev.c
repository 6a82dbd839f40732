/* pc-testdev, through its three ranges as a guest reaches them. */
#include "suites.h"

#include "devices/pc_testdev.h"
#include "util/bytes.h"

#define LATCH  0xe0
#define FLUSH  0xe4
#define BYTES  0xe8
#define LINES  0x2000
#define MEMORY 0xff000000u

static struct pc_testdev testdev;
static struct bus pio, mmio;

static struct {
	bool levels[PC_TESTDEV_LINES];
	unsigned changes;
	uint64_t flushed;
	unsigned flushes;
} seen;

static void set_line(void *ctx, bool level)
{
	*(bool *)ctx = level;
	seen.changes++;
}

static void flush_page(const void *ctx, uint64_t gpa)
{
	ck_assert_ptr_eq(ctx, &seen);
	seen.flushed = gpa;
	seen.flushes++;
}

static void setup(void)
{
	struct pc_testdev_config config = {.flush_page = flush_page, .flush_ctx = &seen};

	for (unsigned i = 0; i < PC_TESTDEV_LINES; i++)
		config.lines[i] = (struct irq_line){.set = set_line, .ctx = &seen.levels[i]};
	ck_assert_int_eq(pc_testdev_init(&testdev, &config), 0);
	ck_assert_int_eq(bus_attach(&pio, LATCH, PC_TESTDEV_REGISTERS, "registers", &pc_testdev_register_ops,
				 &testdev),
		0);
	ck_assert_int_eq(
		bus_attach(&pio, LINES, PC_TESTDEV_LINES, "lines", &pc_testdev_line_ops, &testdev), 0);
	ck_assert_int_eq(
		bus_attach(&mmio, MEMORY, PC_TESTDEV_MEMORY, "memory", &pc_testdev_memory_ops, &testdev), 0);
}

static void teardown(void)
{
	pc_testdev_fini(&testdev);
	pc_testdev_fini(&testdev);
}

static uint64_t get(const struct bus *bus, uint64_t addr, unsigned size)
{
	uint64_t value;

	bus_read(bus, addr, size, &value);
	return value;
}

START_TEST(latch_keeps_what_is_written_in_any_size)
{
	ck_assert_uint_eq(get(&pio, LATCH, 4), 0);
	bus_write(&pio, LATCH, 4, 0x87654321);
	ck_assert_uint_eq(get(&pio, LATCH, 4), 0x87654321);
	ck_assert_uint_eq(get(&pio, LATCH, 2), 0x4321);
	ck_assert_uint_eq(get(&pio, LATCH + 1, 2), 0x6543);
	ck_assert_uint_eq(get(&pio, LATCH + 3, 1), 0x87);
	bus_write(&pio, LATCH + 1, 1, 0xaa);
	ck_assert_uint_eq(get(&pio, LATCH, 4), 0x8765aa21);
	bus_write(&pio, LATCH + 2, 2, 0xbbcc);
	ck_assert_uint_eq(get(&pio, LATCH, 4), 0xbbccaa21);
}
END_TEST

START_TEST(byte_latch_is_the_same_latch)
{
	bus_write(&pio, BYTES, 4, 0x01020304);
	ck_assert_uint_eq(get(&pio, LATCH, 4), 0x01020304);
	bus_write(&pio, BYTES + 3, 1, 0x99);
	ck_assert_uint_eq(get(&pio, BYTES, 4), 0x99020304);
	ck_assert_uint_eq(get(&pio, BYTES + 1, 2), 0x0203);
}
END_TEST

START_TEST(accesses_across_a_registers_end_reach_none)
{
	bus_write(&pio, LATCH, 4, 0x87654321);
	ck_assert_uint_eq(get(&pio, LATCH + 3, 2), 0xffff);
	ck_assert_uint_eq(get(&pio, LATCH + 2, 4), 0xffffffff);
	ck_assert_uint_eq(get(&pio, FLUSH + 2, 4), 0xffffffff);
	ck_assert_uint_eq(get(&pio, BYTES + 2, 4), 0xffffffff);
	bus_write(&pio, LATCH + 1, 4, 0);
	bus_write(&pio, FLUSH + 1, 4, 0);
	bus_write(&pio, LATCH + 3, 2, 0);
	ck_assert_uint_eq(seen.flushes, 0);
	ck_assert_uint_eq(get(&pio, LATCH, 4), 0x87654321);
}
END_TEST

START_TEST(flush_takes_32_bits_alone_and_any_address)
{
	bus_write(&pio, FLUSH, 4, 0xfffff123);
	ck_assert_uint_eq(seen.flushes, 1);
	ck_assert_uint_eq(seen.flushed, 0xfffff123);
	bus_write(&pio, FLUSH, 1, 1);
	bus_write(&pio, FLUSH, 2, 1);
	bus_write(&pio, FLUSH + 2, 2, 1);
	ck_assert_uint_eq(seen.flushes, 1);
	ck_assert_uint_eq(get(&pio, FLUSH, 4), 0xffffffff);
}
END_TEST

START_TEST(each_port_is_a_line)
{
	for (unsigned i = 0; i < PC_TESTDEV_LINES; i++) {
		bus_write(&pio, LINES + i, 1, i + 1);
		ck_assert(seen.levels[i]);
		ck_assert_uint_eq(seen.changes, 2 * i + 1);
		bus_write(&pio, LINES + i, 1, 0);
		ck_assert(!seen.levels[i]);
	}
	ck_assert_uint_eq(get(&pio, LINES, 1), 0xff);
}
END_TEST

START_TEST(wide_accesses_are_a_byte_a_line)
{
	bus_write(&pio, LINES + 11, 4, 0x01000001);
	ck_assert(seen.levels[11] && seen.levels[14]);
	ck_assert(!seen.levels[12] && !seen.levels[13]);
	ck_assert_uint_eq(seen.changes, 4);
	bus_write(&pio, LINES + 11, 4, 0);
	ck_assert(!seen.levels[11] && !seen.levels[14]);
	bus_write(&pio, LINES + 22, 2, 0x0100);
	ck_assert(seen.levels[23] && !seen.levels[22]);
	ck_assert_uint_eq(get(&pio, LINES, 4), UINT32_MAX);
}
END_TEST

START_TEST(lines_end_with_the_last_pin)
{
	bus_write(&pio, LINES + PC_TESTDEV_LINES, 1, 1);
	bus_write(&pio, LINES + PC_TESTDEV_LINES - 1, 2, 0x0101);
	bus_write(&pio, LINES + PC_TESTDEV_LINES - 3, 4, 0x01010101);
	ck_assert_uint_eq(seen.changes, 0);
}
END_TEST

START_TEST(memory_is_memory)
{
	ck_assert_uint_eq(get(&mmio, MEMORY, 8), 0);
	bus_write(&mmio, MEMORY + 0xfff8, 8, 0x1122334455667788);
	ck_assert_uint_eq(get(&mmio, MEMORY + 0xfff8, 8), 0x1122334455667788);
	ck_assert_uint_eq(get(&mmio, MEMORY + 0xffff, 1), 0x11);
	ck_assert_uint_eq(get(&mmio, MEMORY + 0xfff9, 4), 0x44556677);
	bus_write(&mmio, MEMORY + 0xfffb, 2, 0xabcd);
	ck_assert_uint_eq(get(&mmio, MEMORY + 0xfff8, 8), 0x112233abcd667788);
	bus_write(&mmio, MEMORY + 3, 8, UINT64_MAX);
	ck_assert_uint_eq(get(&mmio, MEMORY, 4), 0xff000000);
}
END_TEST

START_TEST(memory_ends_where_it_ends)
{
	bus_write(&mmio, MEMORY + 0xfffc, 8, 1);
	ck_assert_uint_eq(get(&mmio, MEMORY + 0xfffc, 4), 0);
	ck_assert_uint_eq(get(&mmio, MEMORY + 0xfffd, 4), 0xffffffff);
	ck_assert_uint_eq(get(&mmio, MEMORY + 0x10000, 1), 0xff);
}
END_TEST

Suite *pc_testdev_suite(void)
{
	Suite *suite = suite_create("pc_testdev");
	TCase *tcase = tcase_create("pc_testdev");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, latch_keeps_what_is_written_in_any_size);
	tcase_add_test(tcase, byte_latch_is_the_same_latch);
	tcase_add_test(tcase, accesses_across_a_registers_end_reach_none);
	tcase_add_test(tcase, flush_takes_32_bits_alone_and_any_address);
	tcase_add_test(tcase, each_port_is_a_line);
	tcase_add_test(tcase, wide_accesses_are_a_byte_a_line);
	tcase_add_test(tcase, lines_end_with_the_last_pin);
	tcase_add_test(tcase, memory_is_memory);
	tcase_add_test(tcase, memory_ends_where_it_ends);
	suite_add_tcase(suite, tcase);
	return suite;
}
