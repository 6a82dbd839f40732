/*
 * The whole board: every chip behind its port or address, entered through the buses by accesses of any width, with a
 * console that takes and says what it likes, and a power button.
 */
#include "fuzz.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "machine/board.h"
#include "mock_disk.h"
#include "util/clock.h"
#include "x86/layout.h"

#define STEPS_MAX 1024
#define DISKS     2
#define EPOCH     UINT64_C(1700000000)

static struct {
	struct fuzz_input input;
	struct board board;
	const struct guest_memory *mem;
	struct mock_disk disks[DISKS];
	struct board_disk slots[DISKS];
	struct character_source console;
	size_t room;      /* what the console takes before it stalls */
	unsigned chatter; /* bytes that the console sends as soon as it may */
	bool levels[IOAPIC_PINS];
	bool split;                     /* the board has an IOAPIC */
	bool pci;                       /* its disks are on PCI */
	uint8_t kind;                   /* which board it is: the input's first byte */
	unsigned selections;            /* of the fw_cfg file that tells of it */
	const struct hw_device *device; /* the one that is looked at */
} rig;

/* The lines end in the board's own IOAPIC where it has one. */
static void set_level(void *ctx, bool level)
{
	bool *at = ctx;

	*at = level;
	if (rig.split)
		ioapic82093_set(&rig.board.ioapic, (unsigned)(at - rig.levels), level);
}

/* Some local APICs are not there. An IOAPIC's messages are of its own making, MSI-X's are the driver's. */
static bool send_message(void *ctx, struct msi_message message)
{
	(void)ctx;
	FUZZ_CHECK((message.address & 0xfff00003) == 0xfee00000);
	FUZZ_CHECK(rig.pci || (message.address & 0xff8) == 0);
	FUZZ_CHECK(rig.pci || (message.data & ~0xc7ffu) == 0);
	return message.address >> 12 & 1;
}

static void watch_messages(void *ctx, const struct msi_message *messages, unsigned count)
{
	(void)ctx;
	FUZZ_CHECK(count <= IOAPIC82093_PINS);
	for (unsigned i = 0; i < count; i++)
		FUZZ_CHECK((messages[i].data & 0x8000) != 0);
}

static struct irq_line get_line(void *ctx, unsigned pin)
{
	(void)ctx;
	FUZZ_CHECK(pin < IOAPIC_PINS);
	return (struct irq_line){.set = set_level, .ctx = &rig.levels[pin]};
}

static void request_power(void *ctx, enum power_event event, uint32_t code)
{
	(void)ctx;
	FUZZ_CHECK(event <= POWER_PANIC && (event == POWER_EXIT || code == 0));
}

static size_t console_write(void *ctx, const uint8_t *bytes, size_t len)
{
	size_t count = MIN(len, rig.room);
	volatile uint8_t byte;

	(void)ctx;
	FUZZ_CHECK(len > 0);
	for (size_t i = 0; i < len; i++)
		byte = bytes[i];
	(void)byte;
	rig.room -= count;
	return count;
}

static void console_send(unsigned len)
{
	static const uint8_t text[256] = "console";
	size_t taken = rig.console.input(rig.console.ctx, text, len);

	FUZZ_CHECK(taken <= len);
}

static void console_want_input(void *ctx)
{
	unsigned len = rig.chatter;

	(void)ctx;
	rig.chatter = 0;
	if (len)
		console_send(len);
}

/* Mostly at the device that was chosen last; else at any other's edge, or anywhere. */
static uint64_t choose_address(uint8_t kind, enum hw_space *ret_space)
{
	struct fuzz_input *input = &rig.input;

	if ((kind & 0x70) == 0x70)
		rig.device = &rig.board.devices[fuzz_below(input, rig.board.device_count)];
	*ret_space = rig.device->space == HW_MMIO ? HW_MMIO : HW_PIO;
	switch (kind & 0x60) {
	case 0x00:
	case 0x20:
		return rig.device->base + (rig.device->size ? fuzz_below(input, rig.device->size) : 0);
	case 0x40:
		return rig.device->base + (uint64_t)(int8_t)fuzz_byte(input);
	default:
		if (kind & 0x10)
			return rig.device->base;
		return fuzz_number(input);
	}
}

/* The last of those that hold it: a range inside of another begins behind it. */
static const struct bus_range *range_at(const struct bus *bus, uint64_t addr)
{
	for (unsigned i = bus->count; i-- > 0;)
		if (range_inside(addr, 1, bus->ranges[i].base, bus->ranges[i].size))
			return &bus->ranges[i];
	return NULL;
}

/* The rules of bus.h, beside what the device makes of it. */
static void access_bus(uint8_t kind, bool write)
{
	static const unsigned sizes[] = {1, 1, 1, 2, 4, 8, 3, 7};
	unsigned size = sizes[fuzz_byte(&rig.input) % ARRAY_SIZE(sizes)];
	enum hw_space space;
	uint64_t addr = choose_address(kind, &space), value = 0;
	const struct bus *bus = space == HW_MMIO ? &rig.board.mmio : &rig.board.pio;
	const struct bus_range *range = range_at(bus, addr);
	int r;

	if (write) {
		value = kind & 0x80 ? fuzz_number(&rig.input) : fuzz_byte(&rig.input);
		r = bus_write(bus, addr, size, value);
	} else {
		r = bus_read(bus, addr, size, &value);
		FUZZ_CHECK(value <= all_ones(size));
		if (!range || !range_inside(addr, size, range->base, range->size) || size == 3 || size == 7)
			FUZZ_CHECK(value == all_ones(size));
	}
	FUZZ_CHECK(range ? r >= 0 && &bus->ranges[r] == range : r == -ENXIO);
}

/* fw_cfg's DMA: an access in guest memory, and its address written to the port. Not long: zeroes follow an item's end. */
static void access_fwcfg(void)
{
	struct fuzz_input *input = &rig.input;
	gpa_t at = fuzz_gpa(input), to = fuzz_gpa(input);
	uint32_t key = (uint32_t)fuzz_bytes(input, 2), control = fuzz_byte(input);
	uint32_t access[4] = {
		htobe32(key << 16 | control),
		htobe32((uint32_t)fuzz_number(input) & 0x1ffff),
		htobe32((uint32_t)(to >> 32)),
		htobe32((uint32_t)to),
	};

	guest_memory_write(rig.mem, at, access, sizeof(access));
	bus_write(&rig.board.pio, FWCFG_PORT + 4, 4, htobe32((uint32_t)(at >> 32)));
	bus_write(&rig.board.pio, FWCFG_PORT + 8, 4, htobe32((uint32_t)at));
	if (!guest_memory_read(rig.mem, at, access, sizeof(access)))
		FUZZ_CHECK((be32toh(access[0]) & ~1u) == 0);
}

/* Configuration space, through its two ports: mostly that of a device that is there. */
static void access_pci(void)
{
	struct fuzz_input *input = &rig.input;
	uint8_t kind = fuzz_byte(input);
	uint32_t device = kind & 0x40 ? kind % 32u : kind % (DISKS + 1);
	uint32_t offset = fuzz_byte(input);
	unsigned size = 1u << offset % 3;
	uint64_t value;

	bus_write(&rig.board.pio, PCI_HOST_PORT, 4, 0x80000000 | device << 11 | (offset & 0xfc));
	if (kind & 0x80) {
		bus_write(&rig.board.pio, PCI_HOST_PORT + 4 + (offset & 3 & ~(size - 1)), size,
			fuzz_number(input));
		return;
	}
	bus_read(&rig.board.pio, PCI_HOST_PORT + 4, 4, &value);
	FUZZ_CHECK(device <= DISKS || value == UINT32_MAX);
}

static void file_selected(void *ctx)
{
	unsigned *selections = ctx;

	FUZZ_CHECK(selections == &rig.selections);
	++*selections;
}

/* Built as for a run, from the disks' counters on: 0 or -errno. */
static int build(void)
{
	struct board_config config = {
		.mem = rig.mem,
		.power = {.request = request_power},
		.console = {.write = console_write, .want_input = console_want_input},
		.irq = get_line,
		.irq_level = get_line,
		.disks = rig.slots,
		.disk_count = DISKS,
		.cpus = 1u << (rig.kind & 7),
		.qemu_debug_exit = rig.kind & 8,
		.pc_testdev = !(rig.kind & 16),
		.pci = rig.pci,
	};
	int err;

	config.ioapic = rig.split;
	config.msi = (struct msi_handle){.send = send_message, .watch = watch_messages};
	err = board_init(&rig.board, &config);
	if (err)
		return err;
	FUZZ_CHECK(!fwcfg_add_file(&rig.board.fwcfg, "opt/fuzz", "some bytes", 10));
	FUZZ_CHECK(!fwcfg_add_signal(&rig.board.fwcfg, "opt/signal", file_selected, &rig.selections));
	rig.console = uart16550_source(&rig.board.com1);
	rig.device = &rig.board.devices[0];
	return 0;
}

/* Half of a board that the host had not enough for is taken apart again, by whoever built it. */
static void build_half(unsigned allowed)
{
	int err;

	fuzz_refuse(allowed);
	err = build();
	FUZZ_CHECK(fuzz_refused() == (err != 0));
	if (!err)
		board_fini(&rig.board);
	FUZZ_CHECK(!rig.board.device_count && !rig.board.slot_count && !rig.board.pio.count);
}

static void take_apart(void)
{
	for (unsigned i = 0; i < DISKS; i++) {
		virtio_transport_drain(rig.board.slots[i].transport);
		virtio_blk_keep(&rig.board.slots[i].blk, &rig.slots[i].stats);
	}
	board_fini(&rig.board);
}

/* As for a guest that resets its machine. */
static void restart(void)
{
	take_apart();
	if (rig.input.left)
		build_half(fuzz_byte(&rig.input));
	FUZZ_CHECK(!build());
}

static void step(void)
{
	struct fuzz_input *input = &rig.input;
	uint8_t kind = fuzz_byte(input);
	struct fuzz_input before;
	unsigned again;

	switch (kind & 15) {
	default:
		access_bus(kind, kind & 1);
		break;
	case 8:
		console_send(fuzz_byte(input));
		break;
	case 9:
		rig.room = fuzz_byte(input);
		rig.console.drained(rig.console.ctx);
		break;
	case 10:
		rig.chatter = fuzz_byte(input);
		break;
	case 11:
		if ((kind & 0xf0) == 0xf0)
			restart();
		else if (rig.split && (kind & 0x10))
			ioapic82093_eoi(&rig.board.ioapic, fuzz_byte(input));
		else if (rig.split && (kind & 0x20))
			ioapic82093_raise(&rig.board.ioapic, (unsigned)fuzz_below(input, IOAPIC82093_PINS));
		else
			board_press_power(&rig.board);
		break;
	case 12:
		fuzz_clock_set(fuzz_clock() + fuzz_bytes(input, kind >> 5));
		break;
	case 13: /* the host's clock is set, forth and back */
		fuzz_clock_set(fuzz_bytes(input, 5) * NS_PER_S);
		break;
	case 14: /* as rep ins and rep outs do */
		again = fuzz_byte(input) * 8u;
		kind = fuzz_byte(input);
		before = *input;
		do {
			*input = before;
			access_bus(kind & 0x8f, kind & 1);
		} while (again--);
		break;
	case 15:
		if (kind & 0x10) {
			access_fwcfg();
			break;
		}
		if (rig.pci && (kind & 0x20)) {
			access_pci();
			break;
		}
		for (unsigned i = 0; i < DISKS; i++)
			virtio_transport_serve(rig.board.slots[i].transport);
		break;
	}
}

static void set_up(void)
{
	rig.kind = fuzz_byte(&rig.input);
	rig.split = rig.kind & 32;
	rig.pci = (rig.kind & 0xc0) == 0xc0;
	fuzz_clock_set(EPOCH * NS_PER_S);
	for (unsigned i = 0; i < DISKS; i++) {
		rig.disks[i].block = (struct block_backend){
			.ops = &mock_disk_ops, .size = 64 * 512, .logical_size = 512, .physical_size = 512};
		rig.slots[i] = (struct board_disk){.block = &rig.disks[i].block, .serial = "fuzz"};
	}
	FUZZ_CHECK(!build());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&rig, 0, sizeof(rig));
	rig.mem = fuzz_memory();
	rig.input = (struct fuzz_input){.at = data, .left = size};
	set_up();
	for (unsigned i = 0; i < STEPS_MAX && rig.input.left; i++)
		step();
	take_apart();
	return 0;
}
