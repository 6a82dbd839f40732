/*
 * The machine as we were told of it: memory, CPUs, devices, and who told us.
 * Drivers ask here; no driver knows an address of its own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hw_kind {
	HW_OTHER,
	HW_SERIAL,
	HW_RTC,
	HW_I8042,
	HW_DEBUG_EXIT,
	HW_PVPANIC,
	HW_ACPI_SLEEP,
	HW_RESET_CONTROL,
	HW_IOAPIC,
	HW_LAPIC,
	HW_PCI_HOST,
	HW_VIRTIO_MMIO,
	HW_VIRTIO_PCI,
};

enum hw_source {
	HW_UNKNOWN,
	HW_BUILT_IN,   /* where every PC has it */
	HW_START_INFO, /* PVH */
	HW_MULTIBOOT2,
	HW_CMDLINE, /* virtio_mmio.device= */
	HW_FW_CFG,
	HW_FW_CFG_FDT,
	HW_MODULE_FDT, /* complete by contract: what it does not name is not there */
	HW_PCI,
};

struct hw_device {
	enum hw_kind kind;
	enum hw_source source;
	const char *name;
	bool is_pio;
	bool irq_level;
	int irq;             /* IOAPIC pin, -1: none */
	uint32_t irq_parent; /* phandle of the IOAPIC; 0: pins are counted through all of them */
	uint32_t phandle;
	uint32_t pci; /* where its configuration space is (pci.h); 0: it has none */
	uint64_t base;
	uint64_t size;
};

struct hw_range {
	uint64_t base;
	uint64_t size;
	uint32_t type; /* 1: RAM */
};

#define HW_RANGES  32
#define HW_DEVICES 64
#define HW_RAM     1

struct hw {
	const char *board; /* the FDT root's compatible, or NULL */
	enum hw_source fdt_source;

	const char *cmdline;
	enum hw_source cmdline_source;

	struct hw_range memory[HW_RANGES];
	unsigned memory_count;
	enum hw_source memory_source;
	uint64_t fdt_memory; /* bytes, by the FDT; 0: it does not say */

	unsigned cpus;
	enum hw_source cpus_source;

	uint64_t initrd_base;
	uint64_t initrd_size;

	struct hw_device devices[HW_DEVICES];
	unsigned device_count;
};

extern struct hw hw;

/* start: what the loader left; magic tells whether that is multiboot2's information, or else PVH's start_info. */
void hw_discover(const void *start, uint32_t magic);

/* The index-th device of a kind, or NULL. */
const struct hw_device *hw_find(enum hw_kind kind, unsigned index);

/* Takes the device over unless one with its address is known already. */
void hw_add(const struct hw_device *device);

const char *hw_source_name(enum hw_source source);

/* Bytes of RAM in hw.memory. */
uint64_t hw_ram_size(void);
