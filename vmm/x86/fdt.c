#include "x86/fdt.h"

#include <errno.h>
#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>

#include "util/bytes.h"
#include "x86/layout.h"

#define PHANDLE_IOAPIC 1

/* libfdt clears all that it may use, and this is what most trees are content with: the guest gets no page for nothing. */
#define FDT_SIZE_USUAL 8192

#define ISA_IO 1 /* first cell of an ISA address: I/O space */

/* The second interrupt cell of the ce4100 IOAPIC binding. */
#define PIN_EDGE_RISING 3

/*
 * libfdt's sequential-write calls all report the one thing that can go wrong, a full buffer. The first error is
 * kept, nothing is written after it, and it is looked at once, at the end.
 */
struct tree {
	void *fdt;
	int err;
};

#define WRITE(tree, call)                     \
	do {                                  \
		if (!(tree)->err)             \
			(tree)->err = (call); \
	} while (0)

static void begin(struct tree *tree, const char *name)
{
	WRITE(tree, fdt_begin_node(tree->fdt, name));
}

static void end(struct tree *tree)
{
	WRITE(tree, fdt_end_node(tree->fdt));
}

static void put_string(struct tree *tree, const char *name, const char *value)
{
	WRITE(tree, fdt_property_string(tree->fdt, name, value));
}

static void put_u32(struct tree *tree, const char *name, uint32_t value)
{
	WRITE(tree, fdt_property_u32(tree->fdt, name, value));
}

static void put_u64(struct tree *tree, const char *name, uint64_t value)
{
	WRITE(tree, fdt_property_u64(tree->fdt, name, value));
}

static void put_empty(struct tree *tree, const char *name)
{
	WRITE(tree, fdt_property(tree->fdt, name, NULL, 0));
}

static void put_cells(struct tree *tree, const char *name, const uint32_t *cells, unsigned count)
{
	void *place = NULL;
	fdt32_t *value;
	unsigned i;

	WRITE(tree, fdt_property_placeholder(tree->fdt, name, (int)(count * sizeof(*value)), &place));
	if (tree->err)
		return;
	value = place;
	for (i = 0; i < count; i++)
		value[i] = cpu_to_fdt32(cells[i]);
}

static void put_reg64(struct tree *tree, uint64_t base, uint64_t size)
{
	uint32_t cells[] = {(uint32_t)(base >> 32), (uint32_t)base, (uint32_t)(size >> 32), (uint32_t)size};

	put_cells(tree, "reg", cells, ARRAY_SIZE(cells));
}

static void build_chosen(struct tree *tree, const struct fdt_config *config)
{
	begin(tree, "chosen");
	put_string(tree, "bootargs", config->bootargs);
	if (config->stdout_path)
		put_string(tree, "stdout-path", config->stdout_path);
	if (config->initrd_size) {
		put_u64(tree, "linux,initrd-start", config->initrd_base);
		put_u64(tree, "linux,initrd-end", config->initrd_base + config->initrd_size);
	}
	end(tree);
}

static void build_cpus(struct tree *tree, const struct fdt_config *config)
{
	char name[16];
	unsigned i;

	begin(tree, "cpus");
	put_u32(tree, "#address-cells", 1);
	put_u32(tree, "#size-cells", 0);
	for (i = 0; i < config->cpus; i++) {
		snprintf(name, sizeof(name), "cpu@%x", i);
		begin(tree, name);
		put_string(tree, "device_type", "cpu");
		put_u32(tree, "reg", i);
		end(tree);
	}
	end(tree);
}

static void build_memory(struct tree *tree, const struct fdt_config *config)
{
	char name[32];
	unsigned i;

	for (i = 0; i < config->memory_count; i++) {
		snprintf(name, sizeof(name), "memory@%" PRIx64, config->memory[i].base);
		begin(tree, name);
		put_string(tree, "device_type", "memory");
		put_reg64(tree, config->memory[i].base, config->memory[i].size);
		end(tree);
	}
}

static void build_apics(struct tree *tree)
{
	char name[48];

	snprintf(name, sizeof(name), "interrupt-controller@%x", IOAPIC_BASE);
	begin(tree, name);
	put_string(tree, "compatible", "intel,ce4100-ioapic");
	put_empty(tree, "interrupt-controller");
	put_u32(tree, "#interrupt-cells", 2);
	put_u32(tree, "phandle", PHANDLE_IOAPIC);
	put_reg64(tree, IOAPIC_BASE, IOAPIC_SIZE);
	end(tree);
	snprintf(name, sizeof(name), "lapic@%x", LAPIC_BASE);
	begin(tree, name);
	put_string(tree, "compatible", "intel,ce4100-lapic");
	put_reg64(tree, LAPIC_BASE, LAPIC_SIZE);
	end(tree);
}

static void put_interrupt(struct tree *tree, const struct hw_device *device)
{
	uint32_t cells[] = {(uint32_t)device->irq, PIN_EDGE_RISING};

	if (device->irq >= 0)
		put_cells(tree, "interrupts", cells, ARRAY_SIZE(cells));
}

/* Ports without `compatible` are one more range of the device before them. */
static void build_isa_device(struct tree *tree, const struct hw_device *device, unsigned left)
{
	uint32_t reg[3 * 4];
	unsigned count = 0, i = 0;
	char name[48];

	do {
		reg[count++] = ISA_IO;
		reg[count++] = (uint32_t)device[i].base;
		reg[count++] = (uint32_t)device[i].size;
		i++;
	} while (i < left && !device[i].compatible && device[i].space == HW_PIO && count < ARRAY_SIZE(reg));
	snprintf(name, sizeof(name), "%s@i%" PRIx64, device->name, device->base);
	begin(tree, name);
	put_string(tree, "compatible", device->compatible);
	put_cells(tree, "reg", reg, count);
	put_interrupt(tree, device);
	end(tree);
}

static void build_isa(struct tree *tree, const struct fdt_config *config)
{
	unsigned i;

	begin(tree, "isa");
	put_string(tree, "compatible", "isa");
	put_u32(tree, "#address-cells", 2);
	put_u32(tree, "#size-cells", 1);
	put_empty(tree, "ranges");
	for (i = 0; i < config->device_count; i++) {
		const struct hw_device *device = &config->devices[i];

		if (device->space == HW_PIO && device->compatible)
			build_isa_device(tree, device, config->device_count - i);
	}
	end(tree);
}

static void build_mmio_devices(struct tree *tree, const struct fdt_config *config)
{
	char name[48];
	unsigned i;

	for (i = 0; i < config->device_count; i++) {
		const struct hw_device *device = &config->devices[i];

		if (device->space != HW_MMIO || !device->compatible)
			continue;
		snprintf(name, sizeof(name), "%s@%" PRIx64, device->name, device->base);
		begin(tree, name);
		put_string(tree, "compatible", device->compatible);
		put_reg64(tree, device->base, device->size);
		put_interrupt(tree, device);
		end(tree);
	}
}

static int build(const struct fdt_config *config, void *buf, size_t size, size_t *ret_len)
{
	struct tree tree = {.fdt = buf};

	WRITE(&tree, fdt_create(buf, (int)size));
	WRITE(&tree, fdt_finish_reservemap(buf));
	begin(&tree, "");
	put_u32(&tree, "#address-cells", 2);
	put_u32(&tree, "#size-cells", 2);
	put_string(&tree, "compatible", "lodge");
	put_string(&tree, "model", "lodge");
	put_u32(&tree, "interrupt-parent", PHANDLE_IOAPIC);
	build_chosen(&tree, config);
	build_cpus(&tree, config);
	build_memory(&tree, config);
	build_apics(&tree);
	build_isa(&tree, config);
	build_mmio_devices(&tree, config);
	end(&tree);
	WRITE(&tree, fdt_finish(buf));
	if (tree.err)
		return -ENOSPC;
	*ret_len = fdt_totalsize(buf);
	return 0;
}

int fdt_build(const struct fdt_config *config, void *buf, size_t size, size_t *ret_len)
{
	int err = build(config, buf, MIN(size, FDT_SIZE_USUAL), ret_len);

	return err && size > FDT_SIZE_USUAL ? build(config, buf, size, ret_len) : err;
}
