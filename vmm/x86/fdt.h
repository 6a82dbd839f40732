/*
 * The flattened device tree that describes the machine, built with libfdt.
 *
 *   / { #address-cells = <2>; #size-cells = <2>; compatible = "lodge"; interrupt-parent = <&ioapic>;
 *     chosen { bootargs; stdout-path; linux,initrd-start and -end, 64 bits each, where there is an initrd }
 *     cpus { #address-cells = <1>; #size-cells = <0>; cpu@N { device_type = "cpu"; reg = <apic-id> } }
 *     memory@0 { device_type = "memory"; reg: one <base size> pair a region }
 *     interrupt-controller@fec00000 { compatible = "intel,ce4100-ioapic"; #interrupt-cells = <2> }
 *     lapic@fee00000 { compatible = "intel,ce4100-lapic" }
 *     isa { compatible = "isa"; #address-cells = <2>; #size-cells = <1>; ranges;
 *       serial@i3f8 { reg = <1 0x3f8 8>: 1 is I/O space, as in the ISA binding of IEEE 1275 } ... }
 *     virtio_mmio@d0000000 { compatible = "virtio,mmio"; reg; interrupts = <pin type> } ...
 *   }
 * The second interrupt cell is the ce4100 binding's, and always 3: rising edge.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hw_space {
	HW_PIO,
	HW_MMIO,
	HW_LINE, /* no registers, only an interrupt; not in the tree, which has no such device */
};

/* One device of the board table, as the tables for the guest tell of it. */
struct hw_device {
	const char *name;       /* "serial": the node's name, without its unit address */
	const char *compatible; /* "ns16550a" */
	enum hw_space space;
	uint64_t base;
	uint64_t size;
	int irq; /* IOAPIC pin, -1: none; edge-triggered */
};

struct hw_range {
	uint64_t base;
	uint64_t size;
};

struct fdt_config {
	const struct hw_device *devices;
	unsigned device_count;
	const struct hw_range *memory;
	unsigned memory_count;
	unsigned cpus;
	const char *bootargs;
	const char *stdout_path; /* NULL: none */
	uint64_t initrd_base;
	uint64_t initrd_size; /* 0: none */
};

/* Writes the tree to buf and its length to *ret_len: 0, or -ENOSPC when buf is too small. */
int fdt_build(const struct fdt_config *config, void *buf, size_t size, size_t *ret_len);
