#include "machine/board.h"

#include <stddef.h>

#include "memory/guest_memory.h"

/* A range of addresses and the chip behind it. */
struct board_row {
	const char *name; /* in traces, in the report and in the device tree */
	const char *
		compatible; /* in the device tree; NULL: one more range of the row before it, or told of otherwise */
	enum hw_space space;
	uint64_t base;
	uint64_t size;
	int irq;                   /* IOAPIC pin; -1: none */
	const struct bus_ops *ops; /* NULL with HW_LINE */
	size_t device;             /* what the ops get: its offset in struct board */
	/* Builds the chip: 0, ROW_ABSENT or -errno. NULL where the row before it has done so. */
	int (*init)(struct board *board, const struct board_config *config, const struct board_row *row);
};

#define PCI_CLASS_STORAGE 0x018000 /* mass storage, of another kind */

#define ROW_ABSENT 1 /* nothing is fitted there */

static struct irq_line pin(const struct board_config *config, const struct board_row *row)
{
	return config->irq(config->irq_ctx, (unsigned)row->irq);
}

/* The first row, so that whoever has a pin may use it. Every table tells of an IOAPIC by itself, ours or KVM's. */
static int fit_ioapic(struct board *board, const struct board_config *config, const struct board_row *row)
{
	const struct ioapic82093_config ioapic = {.msi = config->msi};

	(void)row;
	if (!config->ioapic)
		return ROW_ABSENT;
	ioapic82093_init(&board->ioapic, &ioapic);
	return 0;
}

static int fit_com1(struct board *board, const struct board_config *config, const struct board_row *row)
{
	const struct uart16550_config uart = {.irq = pin(config, row), .sink = config->console};

	uart16550_init(&board->com1, &uart);
	return 0;
}

static int fit_i8042(struct board *board, const struct board_config *config, const struct board_row *row)
{
	const struct i8042_config i8042 = {.power = config->power, .irq = pin(config, row)};

	i8042_init(&board->i8042, &i8042);
	return 0;
}

static int fit_rtc(struct board *board, const struct board_config *config, const struct board_row *row)
{
	uint64_t low = config->mem->regions[0].size;
	const struct rtc146818_config rtc = {
		.ram_below_4g = low,
		.ram_above_4g = guest_memory_size(config->mem) - low,
	};

	(void)row;
	rtc146818_init(&board->rtc, &rtc);
	return 0;
}

static int fit_debug_exit(struct board *board, const struct board_config *config, const struct board_row *row)
{
	const struct debug_exit_config port = {.power = config->power, .qemu = config->qemu_debug_exit};

	(void)row;
	debug_exit_init(&board->debug_exit, &port);
	return 0;
}

static int fit_pvpanic(struct board *board, const struct board_config *config, const struct board_row *row)
{
	const struct pvpanic_config pvpanic = {.power = config->power};

	(void)row;
	pvpanic_init(&board->pvpanic, &pvpanic);
	return 0;
}

static void *memory_at(const void *mem, uint64_t gpa, uint64_t len)
{
	return guest_memory_at(mem, gpa, len);
}

/* Always there: a guest has to ask for it, and Linux looks for it only where ACPI names it. */
static int fit_fwcfg(struct board *board, const struct board_config *config, const struct board_row *row)
{
	const struct fwcfg_config fwcfg = {
		.ram_size = guest_memory_size(config->mem),
		.cpus = (uint16_t)config->cpus,
		.memory_at = memory_at,
		.memory_ctx = config->mem,
	};

	(void)row;
	fwcfg_init(&board->fwcfg, &fwcfg);
	return 0;
}

static int fit_acpi_sleep(struct board *board, const struct board_config *config, const struct board_row *row)
{
	const struct acpi_sleep_config sleep = {.power = config->power};

	(void)row;
	acpi_sleep_init(&board->acpi_sleep, &sleep);
	return 0;
}

static int fit_reset_control(
	struct board *board, const struct board_config *config, const struct board_row *row)
{
	const struct reset_control_config reset = {.power = config->power};

	(void)row;
	reset_control_init(&board->reset_control, &reset);
	return 0;
}

static int fit_bochs_power(
	struct board *board, const struct board_config *config, const struct board_row *row)
{
	const struct bochs_power_config port = {.power = config->power};

	(void)row;
	bochs_power_init(&board->bochs_power, &port);
	return 0;
}

static void flush_page(const void *ctx, uint64_t gpa)
{
	const struct guest_memory *mem = ctx;

	/* An address without memory is the guest's mistake: there is nothing to flush. */
	guest_memory_flush_page(mem, gpa);
}

static int fit_pc_testdev(struct board *board, const struct board_config *config, const struct board_row *row)
{
	struct pc_testdev_config testdev = {.flush_page = flush_page, .flush_ctx = config->mem};
	unsigned pin;

	(void)row;
	if (!config->pc_testdev)
		return ROW_ABSENT;
	for (pin = 0; pin < PC_TESTDEV_LINES; pin++)
		testdev.lines[pin] = config->irq_level(config->irq_ctx, pin);
	return pc_testdev_init(&board->pc_testdev, &testdev);
}

/* Its other ranges. */
static int with_pc_testdev(
	struct board *board, const struct board_config *config, const struct board_row *row)
{
	(void)board;
	(void)row;
	return config->pc_testdev ? 0 : ROW_ABSENT;
}

/* The first row of PCI's, and before the reset control register, which has a byte of its ports. */
static int fit_pci_host(struct board *board, const struct board_config *config, const struct board_row *row)
{
	(void)row;
	if (!config->pci)
		return ROW_ABSENT;
	pci_host_init(&board->pci_host);
	return 0;
}

/* The slots are filled from the first one on, a disk each, with a queue a CPU. */
static int fit_disk(struct board *board, const struct board_config *config, unsigned index,
	struct virtio_transport_config *ret_transport)
{
	struct board_slot *slot = &board->slots[index];
	const struct board_disk *disk = &config->disks[index];
	unsigned queues = MIN(config->cpus, VIRTIO_QUEUES_MAX);
	int err = doorbell_init(&slot->doorbell);

	if (err)
		return err;
	board->slot_count = index + 1;
	err = virtio_blk_init(&slot->blk, disk->block, disk->serial, queues);
	if (err)
		return err;
	virtio_blk_continue(&slot->blk, &disk->stats);
	virtio_blk_set_rate(&slot->blk, disk->bytes_per_s, disk->requests_per_s);
	*ret_transport = (struct virtio_transport_config){
		.mem = config->mem,
		.ops = &virtio_blk_ops,
		.dev = &slot->blk,
		.doorbell = &slot->doorbell,
		.queue_count = queues,
	};
	return 0;
}

static int fit_mmio_disk(struct board *board, const struct board_config *config, const struct board_row *row)
{
	unsigned index = (unsigned)((row->base - VIRTIO_MMIO_BASE) / VIRTIO_MMIO_STRIDE);
	struct board_slot *slot = &board->slots[index];
	struct virtio_transport_config transport;
	int err;

	if (config->pci || index >= config->disk_count)
		return ROW_ABSENT;
	err = fit_disk(board, config, index, &transport);
	if (err)
		return err;
	slot->transport = &slot->mmio.transport;
	slot->doorbell_gpa = row->base + VIRTIO_MMIO_QUEUE_NOTIFY;
	return virtio_mmio_init(&slot->mmio, &transport, pin(config, row));
}

static int fit_pci_disk(struct board *board, const struct board_config *config, const struct board_row *row)
{
	unsigned index = (unsigned)((row->base - PCI_MMIO_BASE) / PCI_MMIO_STRIDE);
	struct board_slot *slot = &board->slots[index];
	struct virtio_transport_config transport;
	int err;

	if (!config->pci || index >= config->disk_count)
		return ROW_ABSENT;
	err = fit_disk(board, config, index, &transport);
	if (err)
		return err;
	slot->transport = &slot->pci.transport;
	slot->doorbell_gpa = row->base + VIRTIO_PCI_DOORBELL;
	/* Device 0 is the bridge. */
	pci_host_add(&board->pci_host, index + 1, &slot->pci.function);
	return virtio_pci_init(&slot->pci, &transport, (uint32_t)row->base, PCI_CLASS_STORAGE, &config->msi);
}

static int fit_power_button(
	struct board *board, const struct board_config *config, const struct board_row *row)
{
	board->power_button = pin(config, row);
	return 0;
}

#define DEVICE(member) offsetof(struct board, member)
#define NO_IRQ         (-1)

/* clang-format off */
#define VIRTIO_SLOT(n)                                                                               \
	{                                                                                            \
		"virtio_mmio", "virtio,mmio", HW_MMIO, VIRTIO_MMIO_BASE + (n) * VIRTIO_MMIO_STRIDE,  \
			VIRTIO_MMIO_SIZE, VIRTIO_MMIO_IRQ + (n), &virtio_mmio_bus_ops,        \
			DEVICE(slots[n].mmio), fit_mmio_disk                                              \
	}

/* What it is to the guest is told by its configuration space. */
#define PCI_SLOT(n)                                                                                  \
	{                                                                                            \
		"virtio_pci", NULL, HW_MMIO, PCI_MMIO_BASE + (n) * PCI_MMIO_STRIDE,                  \
			VIRTIO_PCI_BAR_SIZE, NO_IRQ, &virtio_pci_bus_ops, DEVICE(slots[n].pci), fit_pci_disk \
	}

/*
 * The machine, wired. A new chip is a row here, a function above that gives it its handles, and a line in
 * board_fini(). Addresses and pins come from x86/layout.h.
 */
static const struct board_row board_rows[] = {
	{"ioapic", NULL, HW_MMIO, IOAPIC_BASE, IOAPIC_SIZE, NO_IRQ,
		&ioapic82093_ops, DEVICE(ioapic), fit_ioapic},
	{"serial", "ns16550a", HW_PIO, COM1_PORT, COM1_SIZE, COM1_IRQ,
		&uart16550_ops, DEVICE(com1), fit_com1},
	{"keyboard", "intel,i8042", HW_PIO, I8042_DATA_PORT, 1, I8042_IRQ,
		&i8042_data_ops, DEVICE(i8042), fit_i8042},
	{"keyboard", NULL, HW_PIO, I8042_COMMAND_PORT, 1, NO_IRQ,
		&i8042_command_ops, DEVICE(i8042), NULL},
	{"rtc", "motorola,mc146818", HW_PIO, RTC_PORT, RTC_SIZE, NO_IRQ,
		&rtc146818_ops, DEVICE(rtc), fit_rtc},
	{"debug-exit", "lodge,debug-exit", HW_PIO, DEBUG_EXIT_PORT, DEBUG_EXIT_SIZE, NO_IRQ,
		&debug_exit_ops, DEVICE(debug_exit), fit_debug_exit},
	{"pvpanic", "qemu,pvpanic", HW_PIO, PVPANIC_PORT, PVPANIC_SIZE, NO_IRQ,
		&pvpanic_ops, DEVICE(pvpanic), fit_pvpanic},
	{"fw-cfg", "qemu,fw-cfg", HW_PIO, FWCFG_PORT, FWCFG_SIZE, NO_IRQ,
		&fwcfg_ops, DEVICE(fwcfg), fit_fwcfg},
	{"power", "lodge,acpi-sleep", HW_PIO, ACPI_SLEEP_PORT, ACPI_SLEEP_SIZE, NO_IRQ,
		&acpi_sleep_ops, DEVICE(acpi_sleep), fit_acpi_sleep},
	{"pci-host", "lodge,pci-host", HW_PIO, PCI_HOST_PORT, PCI_HOST_SIZE, NO_IRQ,
		&pci_host_ops, DEVICE(pci_host), fit_pci_host},
	{"reset", "lodge,reset-control", HW_PIO, RESET_CONTROL_PORT, RESET_CONTROL_SIZE, NO_IRQ,
		&reset_control_ops, DEVICE(reset_control), fit_reset_control},
	{"bochs-power", "bochs,power", HW_PIO, BOCHS_POWER_PORT, BOCHS_POWER_SIZE, NO_IRQ,
		&bochs_power_ops, DEVICE(bochs_power), fit_bochs_power},
	{"pc-testdev", "qemu,pc-testdev", HW_PIO, PC_TESTDEV_PORT, PC_TESTDEV_SIZE, NO_IRQ,
		&pc_testdev_register_ops, DEVICE(pc_testdev), fit_pc_testdev},
	{"pc-testdev", NULL, HW_PIO, PC_TESTDEV_IRQ_PORT, PC_TESTDEV_IRQ_SIZE, NO_IRQ,
		&pc_testdev_line_ops, DEVICE(pc_testdev), with_pc_testdev},
	{"pc-testdev-memory", "qemu,pc-testdev-memory", HW_MMIO, PC_TESTDEV_MMIO_BASE, PC_TESTDEV_MMIO_SIZE,
		NO_IRQ, &pc_testdev_memory_ops, DEVICE(pc_testdev), with_pc_testdev},
	VIRTIO_SLOT(0), VIRTIO_SLOT(1), VIRTIO_SLOT(2), VIRTIO_SLOT(3),
	VIRTIO_SLOT(4), VIRTIO_SLOT(5), VIRTIO_SLOT(6), VIRTIO_SLOT(7),
	PCI_SLOT(0), PCI_SLOT(1), PCI_SLOT(2), PCI_SLOT(3),
	PCI_SLOT(4), PCI_SLOT(5), PCI_SLOT(6), PCI_SLOT(7),
	{"power-button", "lodge,power-button", HW_LINE, 0, 0, POWER_BUTTON_IRQ,
		NULL, DEVICE(power_button), fit_power_button},
};
/* clang-format on */

static_assert(VIRTIO_MMIO_SLOTS == 8, "a row a slot");
static_assert(IOAPIC82093_PINS == IOAPIC_PINS, "the IOAPIC is the one that layout.h has");
static_assert(PC_TESTDEV_REGISTERS == PC_TESTDEV_SIZE && PC_TESTDEV_LINES == PC_TESTDEV_IRQ_SIZE &&
		      PC_TESTDEV_MEMORY == PC_TESTDEV_MMIO_SIZE,
	"pc-testdev's ranges are as large as it takes them for");
static_assert(VIRTIO_PCI_BAR_SIZE == PCI_MMIO_STRIDE, "a function's window is its BAR");
static_assert(ARRAY_SIZE(board_rows) - VIRTIO_MMIO_SLOTS <= BOARD_DEVICES_MAX,
	"the device list holds all rows, with disks here or there");

static int wire(struct board *board, const struct board_row *row)
{
	struct bus *bus = row->space == HW_PIO ? &board->pio : &board->mmio;
	void *device = (char *)board + row->device;

	board->devices[board->device_count++] = (struct hw_device){
		.name = row->name,
		.compatible = row->compatible,
		.space = row->space,
		.base = row->base,
		.size = row->size,
		.irq = row->irq,
	};
	if (row->space == HW_LINE)
		return 0;
	return bus_attach(bus, row->base, row->size, row->name, row->ops, device);
}

int board_init(struct board *board, const struct board_config *config)
{
	unsigned i;
	int err;

	memset(board, 0, offsetof(struct board, slots));
	memset(board->slots, 0, config->disk_count * sizeof(board->slots[0]));
	for (i = 0; i < ARRAY_SIZE(board_rows); i++) {
		const struct board_row *row = &board_rows[i];

		err = row->init ? row->init(board, config, row) : 0;
		if (err == ROW_ABSENT)
			continue;
		if (!err)
			err = wire(board, row);
		if (err) {
			board_fini(board);
			return err;
		}
	}
	return 0;
}

void board_press_power(struct board *board)
{
	/* An edge: the generic event device asks for no more. */
	irq_set(&board->power_button, true);
	irq_set(&board->power_button, false);
	i8042_press_ctrl_alt_del(&board->i8042);
}

void board_fini(struct board *board)
{
	while (board->slot_count) {
		struct board_slot *slot = &board->slots[--board->slot_count];

		virtio_mmio_fini(&slot->mmio);
		virtio_pci_fini(&slot->pci);
		virtio_blk_fini(&slot->blk);
		doorbell_fini(&slot->doorbell);
	}
	pc_testdev_fini(&board->pc_testdev);
	bochs_power_fini(&board->bochs_power);
	reset_control_fini(&board->reset_control);
	pci_host_fini(&board->pci_host);
	acpi_sleep_fini(&board->acpi_sleep);
	fwcfg_fini(&board->fwcfg);
	pvpanic_fini(&board->pvpanic);
	debug_exit_fini(&board->debug_exit);
	rtc146818_fini(&board->rtc);
	i8042_fini(&board->i8042);
	uart16550_fini(&board->com1);
	ioapic82093_fini(&board->ioapic);
	memset(board, 0, offsetof(struct board, slots));
}
