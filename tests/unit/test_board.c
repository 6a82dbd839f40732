/* The board: every row of its table attached, connected and taken down again. */
#include "suites.h"

#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "board_fixture.h"
#include "lib/files.h"

#define MAGIC    0x74726976 /* virtio-mmio's first register */
#define CAPACITY 0x100      /* sectors, the first field of its configuration space */

/* What the handles were told. */
static struct {
	bool asked[IOAPIC_PINS];
	bool asked_level[IOAPIC_PINS];
	bool levels[IOAPIC_PINS];
	enum power_event event;
	uint32_t code;
	unsigned events;
	char printed[16];
	size_t printed_len;
} seen;

static struct irq_line get_line(void *ctx, unsigned pin)
{
	ck_assert_ptr_eq(ctx, &seen);
	ck_assert_uint_lt(pin, IOAPIC_PINS);
	ck_assert_msg(!seen.asked[pin], "pin %u has two devices", pin);
	seen.asked[pin] = true;
	return (struct irq_line){0};
}

static void set_level(void *ctx, bool level)
{
	*(bool *)ctx = level;
}

static struct irq_line get_level_line(void *ctx, unsigned pin)
{
	ck_assert_ptr_eq(ctx, &seen);
	ck_assert_uint_lt(pin, IOAPIC_PINS);
	seen.asked_level[pin] = true;
	return (struct irq_line){.set = set_level, .ctx = &seen.levels[pin]};
}

static void request_power(void *ctx, enum power_event event, uint32_t code)
{
	ck_assert_ptr_eq(ctx, &seen);
	seen.event = event;
	seen.code = code;
	seen.events++;
}

static size_t print(void *ctx, const uint8_t *bytes, size_t len)
{
	ck_assert_ptr_eq(ctx, &seen);
	ck_assert_uint_lt(seen.printed_len + len, sizeof(seen.printed));
	memcpy(seen.printed + seen.printed_len, bytes, len);
	seen.printed_len += len;
	return len;
}

static void setup(void)
{
	ck_assert_int_eq(guest_memory_add(&mem, 0, MIB(64)), 0);
	ck_assert_int_eq(guest_memory_add(&mem, HOLE_END, MIB(32)), 0);
	make_disks();
	config = (struct board_config){
		.mem = &mem,
		.power = {.request = request_power, .ctx = &seen},
		.console = {.write = print, .ctx = &seen},
		.irq = get_line,
		.irq_level = get_level_line,
		.irq_ctx = &seen,
		.disks = disks,
		.cpus = 3,
	};
}

/* Where a PC, QEMU and layout.h have them. */
static const struct {
	uint64_t port, size;
	const char *name;
	int pin;
} ports[] = {
	{0x3f8, 8, "serial", 4},
	{0x60, 1, "keyboard", 1},
	{0x64, 1, "keyboard", -1},
	{0x70, 2, "rtc", -1},
	{0xf4, 4, "debug-exit", -1},
	{0x505, 1, "pvpanic", -1},
	{0x510, 12, "fw-cfg", -1},
	{0x600, 2, "power", -1},
	{0xcf9, 1, "reset", -1},
	{0x8900, 1, "bochs-power", -1},
};

START_TEST(every_chip_is_at_its_ports)
{
	build(0);
	ck_assert_uint_eq(board.pio.count, ARRAY_SIZE(ports));
	for (unsigned i = 0; i < ARRAY_SIZE(ports); i++) {
		uint64_t value;
		int first = bus_read(&board.pio, ports[i].port, 1, &value);
		int last = bus_read(&board.pio, ports[i].port + ports[i].size - 1, 1, &value);

		ck_assert_int_ge(first, 0);
		ck_assert_int_eq(first, last);
		ck_assert_str_eq(board.pio.ranges[first].name, ports[i].name);
		ck_assert_uint_eq(board.pio.ranges[first].base, ports[i].port);
		ck_assert_uint_eq(board.pio.ranges[first].size, ports[i].size);
	}
}
END_TEST

START_TEST(without_disks_only_isa_pins_are_wired)
{
	build(0);
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		bool isa = pin == COM1_IRQ || pin == I8042_IRQ || pin == POWER_BUTTON_IRQ;

		ck_assert_int_eq(seen.asked[pin], isa);
	}
	ck_assert(seen.asked[4] && seen.asked[1]);
}
END_TEST

START_TEST(machine_without_disks_has_empty_slots)
{
	build(0);
	ck_assert_uint_eq(board.mmio.count, 0);
	ck_assert_uint_eq(board.slot_count, 0);
	for (unsigned i = 0; i < VIRTIO_MMIO_SLOTS; i++)
		ck_assert_uint_eq(load(0xd0000000 + 0x1000 * i, 4), UINT32_MAX);
}
END_TEST

START_TEST(each_disk_has_a_slot_of_its_own)
{
	unsigned count = (unsigned)_i;

	build(count);
	ck_assert_uint_eq(board.slot_count, count);
	ck_assert_uint_eq(board.mmio.count, count);
	for (unsigned i = 0; i < VIRTIO_MMIO_SLOTS; i++) {
		uint64_t base = 0xd0000000 + 0x1000 * i;

		ck_assert_uint_eq(load(base, 4), i < count ? MAGIC : UINT32_MAX);
		ck_assert_int_eq(seen.asked[16 + i], i < count);
		if (i >= count)
			continue;
		ck_assert_uint_eq(load(base + CAPACITY, 4), i + 1);
		ck_assert_ptr_eq(board.slots[i].blk.block, &blocks[i]);
		for (unsigned k = 0; k < i; k++)
			ck_assert_int_ne(board.slots[i].doorbell.fd, board.slots[k].doorbell.fd);
	}
}
END_TEST

START_TEST(device_list_tells_what_was_wired)
{
	unsigned first_disk = ARRAY_SIZE(ports);

	build(3);
	ck_assert_uint_eq(board.device_count, first_disk + 4);
	for (unsigned i = 0; i < first_disk; i++) {
		const struct hw_device *device = &board.devices[i];

		ck_assert_str_eq(device->name, ports[i].name);
		ck_assert_int_eq(device->space, HW_PIO);
		ck_assert_uint_eq(device->base, ports[i].port);
		ck_assert_uint_eq(device->size, ports[i].size);
		ck_assert_int_eq(device->irq, ports[i].pin);
		/* The keyboard's second port belongs to its first. */
		ck_assert_int_eq(device->compatible == NULL, ports[i].port == 0x64);
	}
	for (unsigned i = 0; i < 3; i++) {
		const struct hw_device *device = &board.devices[first_disk + i];

		ck_assert_str_eq(device->compatible, "virtio,mmio");
		ck_assert_int_eq(device->space, HW_MMIO);
		ck_assert_uint_eq(device->base, 0xd0000000 + 0x1000 * i);
		ck_assert_uint_eq(device->size, 0x200);
		ck_assert_int_eq(device->irq, (int)(16 + i));
	}
	ck_assert_str_eq(board.devices[first_disk + 3].compatible, "lodge,power-button");
	ck_assert_int_eq(board.devices[first_disk + 3].space, HW_LINE);
	ck_assert_int_eq(board.devices[first_disk + 3].irq, 9);
}
END_TEST

START_TEST(device_tree_of_a_full_board_has_the_console)
{
	static char fdt[BOOT_FDT_SIZE];
	const struct hw_range ram = {0, MIB(64)};
	struct fdt_config tree = {.memory = &ram, .memory_count = 1, .cpus = 1, .bootargs = ""};
	size_t len;

	build(VIRTIO_MMIO_SLOTS);
	tree.devices = board.devices;
	tree.device_count = board.device_count;
	ck_assert_int_eq(fdt_build(&tree, fdt, sizeof(fdt), &len), 0);
	/* boot.c calls it by this name. */
	ck_assert_int_ge(fdt_path_offset(fdt, "/isa/serial@i3f8"), 0);
	ck_assert_int_ge(fdt_path_offset(fdt, "/virtio_mmio@d0007000"), 0);
}
END_TEST

static const struct {
	uint64_t port;
	unsigned size;
	uint64_t value;
	enum power_event event;
	uint32_t code;
} powers[] = {
	{0xf4, 1, 7, POWER_EXIT, 7},
	{0xf4, 4, 0x12345678, POWER_EXIT, 0x12345678},
	{0xf4, 1, 0, POWER_OFF, 0},
	{0x505, 1, 1, POWER_PANIC, 0},
	{0x600, 1, 5 << 2 | 1 << 5, POWER_OFF, 0},
	{0xcf9, 1, 6, POWER_RESET, 0},
	{0x64, 1, 0xfe, POWER_RESET, 0},
};

START_TEST(guest_ends_its_run_through_the_power_handle)
{
	build(0);
	bus_write(&board.pio, powers[_i].port, powers[_i].size, powers[_i].value);
	ck_assert_uint_eq(seen.events, 1);
	ck_assert_int_eq(seen.event, powers[_i].event);
	ck_assert_uint_eq(seen.code, powers[_i].code);
}
END_TEST

START_TEST(debug_exit_can_be_qemus)
{
	config.qemu_debug_exit = true;
	build(0);
	bus_write(&board.pio, 0xf4, 4, 16);
	ck_assert_int_eq(seen.event, POWER_EXIT);
	ck_assert_uint_eq(seen.code, 33);
}
END_TEST

START_TEST(serial_port_prints_on_the_console)
{
	build(0);
	bus_write(&board.pio, 0x3f8, 1, 'h');
	bus_write(&board.pio, 0x3f8, 1, 'i');
	ck_assert_uint_eq(seen.printed_len, 2);
	ck_assert_mem_eq(seen.printed, "hi", 2);
}
END_TEST

static uint64_t cmos(unsigned index)
{
	bus_write(&board.pio, 0x70, 1, index);
	return in(0x71, 1);
}

/* Firmware looks there: 64 KiB units above 16 MiB, and above 4 GiB. */
START_TEST(cmos_tells_the_size_of_memory)
{
	build(0);
	ck_assert_uint_eq((cmos(0x34) | cmos(0x35) << 8) << 16, MIB(64 - 16));
	ck_assert_uint_eq((cmos(0x5b) | cmos(0x5c) << 8 | cmos(0x5d) << 16) << 16, MIB(32));
}
END_TEST

static uint64_t fwcfg(unsigned key, unsigned bytes)
{
	uint64_t value = 0;

	bus_write(&board.pio, 0x510, 2, key);
	for (unsigned i = 0; i < bytes; i++)
		value |= in(0x511, 1) << (8 * i);
	return value;
}

START_TEST(fw_cfg_tells_of_cpus_and_memory)
{
	build(0);
	ck_assert_uint_eq(fwcfg(0x00, 4), 0x554d4551); /* "QEMU" */
	ck_assert_uint_eq(fwcfg(0x03, 8), MIB(64 + 32));
	ck_assert_uint_eq(fwcfg(0x05, 2), 3);
}
END_TEST

static bool send_msi(void *ctx, struct msi_message message)
{
	ck_assert_ptr_eq(ctx, &seen);
	ck_assert_uint_eq(message.data, 0x31);
	seen.events++;
	return true;
}

/* Its row is no device of its own in the tables, which tell of an IOAPIC anyway. */
START_TEST(an_ioapic_is_there_when_it_is_asked_for)
{
	build(1);
	ck_assert_uint_eq(load(IOAPIC_BASE, 4), UINT32_MAX);
	board_fini(&board);
	memset(seen.asked, 0, sizeof(seen.asked));
	config.msi = (struct msi_handle){.send = send_msi, .ctx = &seen};
	config.ioapic = true;
	build(1);
	ck_assert_ptr_null(board.devices[0].compatible);
	ck_assert_uint_eq(board.devices[0].base, IOAPIC_BASE);
	bus_write(&board.mmio, IOAPIC_BASE, 4, 0x10 + 2 * 4);
	bus_write(&board.mmio, IOAPIC_BASE + 0x10, 4, 0x31);
	ioapic82093_set(&board.ioapic, 4, true);
	ck_assert_uint_eq(seen.events, 1);
}
END_TEST

START_TEST(pc_testdev_is_there_when_asked_for)
{
	static char fdt[BOOT_FDT_SIZE];
	const struct hw_range ram = {0, MIB(64)};
	struct fdt_config tree = {.memory = &ram, .memory_count = 1, .cpus = 1, .bootargs = ""};
	size_t len;

	config.pc_testdev = true;
	build(VIRTIO_MMIO_SLOTS);
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		ck_assert(seen.asked_level[pin]);
		bus_write(&board.pio, 0x2000 + pin, 1, 1);
		ck_assert(seen.levels[pin]);
	}
	bus_write(&board.pio, 0xe0, 4, 0x12345678);
	ck_assert_uint_eq(in(0xe0, 4), 0x12345678);
	bus_write(&board.mmio, 0xff00ffff, 1, 7);
	ck_assert_uint_eq(load(0xff00ffff, 1), 7);
	tree.devices = board.devices;
	tree.device_count = board.device_count;
	ck_assert_int_eq(fdt_build(&tree, fdt, sizeof(fdt), &len), 0);
	ck_assert_int_ge(fdt_path_offset(fdt, "/isa/pc-testdev@ie0"), 0);
}
END_TEST

/* Its flush port takes any number, and every one of them may lie outside of memory. */
START_TEST(pc_testdev_flushes_pages_of_memory)
{
	static const uint32_t addresses[] = {
		0, 0x1fff, MIB(64) - 1, MIB(64), HOLE_BASE, 0xff000000, UINT32_MAX};

	config.pc_testdev = true;
	build(0);
	guest_memory_write(&mem, MIB(64) - 4, "last", 4);
	for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++)
		bus_write(&board.pio, 0xe4, 4, addresses[i]);
	ck_assert_mem_eq(guest_memory_at(&mem, MIB(64) - 4, 4), "last", 4);
}
END_TEST

/* Fills the gaps among the open descriptors; returns the number that the next one will get. */
static int next_fd(void)
{
	int top = 0, fd;

	for (fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			top = fd;
	while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) < top)
		;
	close(fd);
	return fd;
}

START_TEST(board_that_cannot_be_built_is_undone)
{
	struct rlimit limit;
	unsigned before;
	int next = next_fd();

	before = files_open_fds();
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = (rlim_t)next + (rlim_t)_i;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	config.disk_count = VIRTIO_MMIO_SLOTS;
	config.pci = _i % 2;
	ck_assert_int_eq(board_init(&board, &config), -EMFILE);
	ck_assert_uint_eq(board.slot_count, 0);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	ck_assert_uint_eq(files_open_fds(), before);
	memset(&seen, 0, sizeof(seen));
	build(VIRTIO_MMIO_SLOTS);
}
END_TEST

START_TEST(board_leaves_no_descriptor_behind)
{
	unsigned before = files_open_fds();

	build(VIRTIO_MMIO_SLOTS);
	ck_assert_uint_eq(files_open_fds(), before + VIRTIO_MMIO_SLOTS);
	board_fini(&board);
	ck_assert_uint_eq(files_open_fds(), before);
}
END_TEST

START_TEST(board_touches_no_slot_without_a_disk)
{
	const uint8_t *bytes = (const uint8_t *)&board.slots[2];

	memset(&board, 0xa5, sizeof(board));
	build(2);
	for (size_t i = 0; i < (VIRTIO_MMIO_SLOTS - 2) * sizeof(board.slots[0]); i++)
		ck_assert_uint_eq(bytes[i], 0xa5);
	board_fini(&board);
	ck_assert_uint_eq(bytes[0], 0xa5);
	board_fini(&board);
}
END_TEST

START_TEST(zeroed_board_can_be_finished)
{
	unsigned before = files_open_fds();

	memset(&board, 0, sizeof(board));
	board_fini(&board);
	ck_assert_uint_eq(files_open_fds(), before);
}
END_TEST

Suite *board_suite(void)
{
	Suite *suite = suite_create("machine/board");
	TCase *tcase = tcase_create("board");

	suite_add_tcase(suite, tcase);
	suite_add_tcase(suite, board_pci_tcase());
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, every_chip_is_at_its_ports);
	tcase_add_test(tcase, without_disks_only_isa_pins_are_wired);
	tcase_add_test(tcase, machine_without_disks_has_empty_slots);
	tcase_add_loop_test(tcase, each_disk_has_a_slot_of_its_own, 1, VIRTIO_MMIO_SLOTS + 1);
	tcase_add_test(tcase, device_list_tells_what_was_wired);
	tcase_add_test(tcase, device_tree_of_a_full_board_has_the_console);
	tcase_add_loop_test(tcase, guest_ends_its_run_through_the_power_handle, 0, ARRAY_SIZE(powers));
	tcase_add_test(tcase, debug_exit_can_be_qemus);
	tcase_add_test(tcase, serial_port_prints_on_the_console);
	tcase_add_test(tcase, cmos_tells_the_size_of_memory);
	tcase_add_test(tcase, fw_cfg_tells_of_cpus_and_memory);
	tcase_add_test(tcase, an_ioapic_is_there_when_it_is_asked_for);
	tcase_add_test(tcase, pc_testdev_is_there_when_asked_for);
	tcase_add_test(tcase, pc_testdev_flushes_pages_of_memory);
	tcase_add_loop_test(tcase, board_that_cannot_be_built_is_undone, 0, VIRTIO_MMIO_SLOTS);
	tcase_add_test(tcase, board_leaves_no_descriptor_behind);
	tcase_add_test(tcase, board_touches_no_slot_without_a_disk);
	tcase_add_test(tcase, zeroed_board_can_be_finished);
	return suite;
}
