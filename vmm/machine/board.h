/*
 * The board: every chip of the machine, the buses they sit on, and the one table (board.c) that wires them.
 * It knows nothing of KVM: interrupts, doorbells, power and the console reach it as narrow handles.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backend/character.h"
#include "bus/bus.h"
#include "bus/doorbell.h"
#include "bus/irq.h"
#include "bus/msi.h"
#include "bus/power.h"
#include "devices/acpi_sleep.h"
#include "devices/bochs_power.h"
#include "devices/debug_exit.h"
#include "devices/fwcfg.h"
#include "devices/i8042.h"
#include "devices/ioapic82093.h"
#include "devices/pc_testdev.h"
#include "bus/pci_host.h"
#include "devices/pvpanic.h"
#include "devices/reset_control.h"
#include "devices/rtc146818.h"
#include "devices/uart16550.h"
#include "virtio/virtio_blk.h"
#include "virtio/virtio_mmio.h"
#include "virtio/virtio_pci.h"
#include "x86/fdt.h"
#include "x86/layout.h"

struct block_backend;
struct guest_memory;

#define BOARD_DEVICES_MAX 32

struct board_disk {
	struct block_backend *block; /* the caller's */
	char serial[VIRTIO_BLK_ID_BYTES + 1];
	uint64_t bytes_per_s, requests_per_s; /* 0: no limit */
	bool no_poll;                         /* the I/O thread never looks for its answers */
	struct virtio_blk_stats stats;        /* of machines that are gone: the new one counts on */
};

struct board_config {
	const struct guest_memory *mem;
	struct power_handle power;
	struct character_sink console;
	struct msi_handle msi;
	struct irq_line (*irq)(void *ctx, unsigned pin); /* the line of an IOAPIC pin */
	/* The same pin as a level, whoever else sits on it: for pc-testdev, which reaches them all. */
	struct irq_line (*irq_level)(void *ctx, unsigned pin);
	void *irq_ctx; /* of both */
	const struct board_disk *disks;
	unsigned disk_count; /* up to VIRTIO_MMIO_SLOTS */
	unsigned cpus;
	bool ioapic; /* on the board; otherwise it is elsewhere: in KVM */
	bool pci;    /* disks are on a PCI bus, in place of virtio-mmio slots */
	bool qemu_debug_exit;
	bool pc_testdev;
};

struct board_slot {
	struct virtio_blk blk;
	struct virtio_transport *transport; /* of the one of the next two that is in use */
	struct virtio_mmio mmio;
	struct virtio_pci pci;
	struct doorbell doorbell;
	uint64_t doorbell_gpa; /* where the guest rings it */
};

struct board {
	struct bus pio;
	struct bus mmio;

	struct ioapic82093 ioapic;
	struct uart16550 com1;
	struct i8042 i8042;
	struct rtc146818 rtc;
	struct debug_exit debug_exit;
	struct pvpanic pvpanic;
	struct fwcfg fwcfg;
	struct pc_testdev pc_testdev;
	struct acpi_sleep acpi_sleep;
	struct reset_control reset_control;
	struct pci_host pci_host;
	struct bochs_power bochs_power;
	struct irq_line power_button;
	unsigned slot_count;

	/* What was wired, in the table's order, for the tables that describe the machine to the guest. */
	struct hw_device devices[BOARD_DEVICES_MAX];
	unsigned device_count;

	/* Most of the board, and last: those without a disk are never touched. */
	struct board_slot slots[VIRTIO_MMIO_SLOTS];
};

/* Builds every chip and attaches it. 0 or -errno; a half-built board is undone. */
int board_init(struct board *board, const struct board_config *config);
void board_fini(struct board *board); /* zeroed boards too, and twice */

/* Presses the power button, and Ctrl-Alt-Del on the keyboard if the guest listens there. Any thread. */
void board_press_power(struct board *board);
