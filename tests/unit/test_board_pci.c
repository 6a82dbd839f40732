/* The board with its disks on PCI. */
#include "suites.h"

#include <string.h>

#include "board_fixture.h"

static struct {
	bool asked[IOAPIC_PINS];
	struct msi_message message;
	unsigned messages, resets;
} seen;

static struct irq_line get_line(void *ctx, unsigned pin)
{
	(void)ctx;
	seen.asked[pin] = true;
	return (struct irq_line){0};
}

static bool send_msi(void *ctx, struct msi_message message)
{
	ck_assert_ptr_eq(ctx, &seen);
	seen.message = message;
	seen.messages++;
	return true;
}

static void request_power(void *ctx, enum power_event event, uint32_t code)
{
	ck_assert_ptr_eq(ctx, &seen);
	ck_assert_int_eq(event, POWER_RESET);
	ck_assert_uint_eq(code, 0);
	seen.resets++;
}

static void setup(void)
{
	ck_assert_int_eq(guest_memory_add(&mem, 0, MIB(16)), 0);
	make_disks();
	config = (struct board_config){
		.mem = &mem,
		.power = {.request = request_power, .ctx = &seen},
		.msi = {.send = send_msi, .ctx = &seen},
		.irq = get_line,
		.irq_level = get_line,
		.disks = disks,
		.cpus = 3,
		.pci = true,
	};
}

static uint64_t pci(unsigned device, unsigned offset)
{
	bus_write(&board.pio, 0xcf8, 4, 0x80000000 | device << 11 | offset);
	return in(0xcfc, 4);
}

START_TEST(each_disk_is_a_device_of_its_own)
{
	unsigned count = (unsigned)_i;

	build(count);
	ck_assert_uint_eq(board.slot_count, count);
	ck_assert_uint_eq(board.mmio.count, count);
	ck_assert_uint_eq(pci(0, 0), 0x0d578086);
	for (unsigned i = 0; i < 31; i++) {
		ck_assert_uint_eq(pci(i + 1, 0), i < count ? 0x10421af4 : UINT32_MAX);
		if (i >= count)
			continue;
		ck_assert_uint_eq(pci(i + 1, 8), 0x01800001); /* mass storage, revision 1 */
		ck_assert_uint_eq(pci(i + 1, 0x10), 0xe0000000 + 0x4000 * i);
		ck_assert_uint_eq(load(0xe0000200 + 0x4000 * i, 4), i + 1); /* its capacity */
		ck_assert_uint_eq(board.slots[i].doorbell_gpa, 0xe0001000 + 0x4000 * i);
		ck_assert_ptr_eq(board.slots[i].transport, &board.slots[i].pci.transport);
	}
	for (unsigned pin = VIRTIO_MMIO_IRQ; pin < IOAPIC_PINS; pin++)
		ck_assert(!seen.asked[pin]);
	ck_assert_uint_eq(load(0xd0000000, 4), UINT32_MAX);
}
END_TEST

/* A queue a CPU, and a vector each, with one more for the configuration. */
START_TEST(a_disks_messages_go_where_the_boards_do)
{
	const struct virtio_transport *transport;

	build(2);
	ck_assert_uint_eq(pci(2, 0x40) >> 16 & 0x7ff, 3); /* MSI-X comes first; one less than there are */
	bus_write(&board.mmio, 0xe0004000 + 0x2000, 8, 0xfee01000);
	bus_write(&board.mmio, 0xe0004000 + 0x2008, 8, 0x41);
	bus_write(&board.pio, 0xcfc, 4, 0x80000000);
	bus_write(&board.mmio, 0xe0004000 + 0x10, 2, 0);
	transport = board.slots[1].transport;
	transport->config.interrupts.config(transport->config.interrupts.ctx);
	ck_assert_uint_eq(seen.messages, 1);
	ck_assert_uint_eq(seen.message.address, 0xfee01000);
	ck_assert_uint_eq(seen.message.data, 0x41);
}
END_TEST

START_TEST(without_pci_its_ports_are_nobodys)
{
	config.pci = false;
	build(1);
	ck_assert_uint_eq(pci(0, 0), UINT32_MAX);
	ck_assert_uint_eq(in(0xcf8, 4), UINT32_MAX);
	ck_assert_uint_eq(load(0xe0000000, 4), UINT32_MAX);
}
END_TEST

/* It lies within PCI's address register, which takes 32 bits at once. */
START_TEST(the_reset_control_register_works_beside_it)
{
	build(1);
	bus_write(&board.pio, 0xcf8, 4, 0x80000e00);
	bus_write(&board.pio, 0xcf9, 1, 2);
	ck_assert_uint_eq(in(0xcf9, 1), 2);
	ck_assert_uint_eq(in(0xcf8, 4), 0x80000e00);
	bus_write(&board.pio, 0xcf8, 2, 0x0606);
	bus_write(&board.pio, 0xcfb, 1, 1);
	ck_assert_uint_eq(seen.resets, 0);
	bus_write(&board.pio, 0xcf9, 1, 6);
	ck_assert_uint_eq(seen.resets, 1);
	ck_assert_uint_eq(in(0xcf8, 4), 0x80000e00);
}
END_TEST

TCase *board_pci_tcase(void)
{
	TCase *tcase = tcase_create("board-pci");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, each_disk_is_a_device_of_its_own, 0, VIRTIO_MMIO_SLOTS + 1);
	tcase_add_test(tcase, a_disks_messages_go_where_the_boards_do);
	tcase_add_test(tcase, without_pci_its_ports_are_nobodys);
	tcase_add_test(tcase, the_reset_control_register_works_beside_it);
	return tcase;
}
