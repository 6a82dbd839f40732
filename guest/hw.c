#include "hw.h"

#include "fdt.h"
#include "fwcfg.h"
#include "multiboot2.h"
#include "pci.h"
#include "pvh.h"
#include "str.h"
#include "x86.h"

#define CMDLINE_MAX   4096
#define VIRTIO_OPTION "virtio_mmio.device="

struct hw hw;

/* What a PC has even if nobody says so. */
static const struct hw_device built_in[] = {
	{.kind = HW_LAPIC, .name = "lapic", .base = 0xfee00000, .size = 0x1000, .irq = -1},
	{.kind = HW_IOAPIC, .name = "ioapic", .base = 0xfec00000, .size = 0x1000, .irq = -1},
	{.kind = HW_SERIAL, .name = "serial", .is_pio = true, .base = 0x3f8, .size = 8, .irq = 4},
	{.kind = HW_RTC, .name = "rtc", .is_pio = true, .base = 0x70, .size = 2, .irq = 8},
	{.kind = HW_DEBUG_EXIT, .name = "debug-exit", .is_pio = true, .base = 0xf4, .size = 4, .irq = -1},
};

const struct hw_device *hw_find(enum hw_kind kind, unsigned index)
{
	for (unsigned i = 0; i < hw.device_count; i++) {
		if (hw.devices[i].kind == kind && index-- == 0)
			return &hw.devices[i];
	}
	return NULL;
}

void hw_add(const struct hw_device *device)
{
	for (unsigned i = 0; i < hw.device_count; i++) {
		if (hw.devices[i].base == device->base && hw.devices[i].is_pio == device->is_pio &&
			hw.devices[i].pci == device->pci)
			return;
	}
	if (hw.device_count < HW_DEVICES)
		hw.devices[hw.device_count++] = *device;
}

const char *hw_source_name(enum hw_source source)
{
	static const char *const names[] = {"nobody", "built-in default", "PVH start_info", "multiboot2",
		"command line", "fw_cfg", "fw_cfg FDT", "FDT module", "PCI"};

	return names[source];
}

uint64_t hw_ram_size(void)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < hw.memory_count; i++) {
		if (hw.memory[i].type == HW_RAM)
			size += hw.memory[i].size;
	}
	return size;
}

/* Page 0 may be where it lies, and is about to go. */
static void take_cmdline(const char *from, enum hw_source source)
{
	static char cmdline[CMDLINE_MAX];

	memcpy(cmdline, from, strnlen(from, CMDLINE_MAX - 1));
	hw.cmdline = cmdline;
	hw.cmdline_source = source;
}

/* The same of what GRUB leaves; it has no device tree. */
static void read_multiboot2(const void *info)
{
	const struct multiboot2_tag *tag = (const void *)((const char *)info + 8);

	for (; tag->type != MULTIBOOT2_TAG_END;
		tag = (const void *)((const char *)tag + ((size_t)tag->size + 7) / 8 * 8)) {
		const struct multiboot2_mmap *map = (const void *)tag;

		if (tag->type == MULTIBOOT2_TAG_CMDLINE)
			take_cmdline((const char *)(tag + 1), HW_MULTIBOOT2);
		if (tag->type != MULTIBOOT2_TAG_MMAP || map->entry_size < sizeof(struct multiboot2_range))
			continue;
		for (uint32_t at = sizeof(*map); at < tag->size && hw.memory_count < HW_RANGES;
			at += map->entry_size) {
			const struct multiboot2_range *range = (const void *)((const char *)tag + at);

			hw.memory[hw.memory_count++] =
				(struct hw_range){range->base, range->size, range->type};
		}
		hw.memory_source = HW_MULTIBOOT2;
	}
}

/* Takes memory map, command line and initrd over; returns the module named "fdt", or NULL. */
static const void *read_start_info(const struct start_info *start)
{
	const void *fdt = NULL;

	if (start == NULL || start->magic != PVH_MAGIC)
		return NULL;
	if (start->cmdline != 0)
		take_cmdline((const char *)start->cmdline, HW_START_INFO);
	if (start->version >= 1 && start->memmap != 0) {
		const struct pvh_range *map = (const struct pvh_range *)start->memmap;

		for (unsigned i = 0; i < start->memmap_count && i < HW_RANGES; i++) {
			if (map[i].size != 0)
				hw.memory[hw.memory_count++] =
					(struct hw_range){map[i].base, map[i].size, map[i].type};
		}
		hw.memory_source = HW_START_INFO;
	}
	const struct pvh_module *modules = (const struct pvh_module *)start->modules;

	for (unsigned i = 0; i < start->module_count && i < 16; i++) {
		const char *name = (const char *)modules[i].cmdline;

		if (name != NULL && strcmp(name, "fdt") == 0) {
			fdt = (const void *)modules[i].base;
		} else if (i == 0) {
			hw.initrd_base = modules[i].base;
			hw.initrd_size = modules[i].size;
		}
	}
	return fdt;
}

/* virtio_mmio.device=SIZE@BASE:IRQ, as Linux has it (drivers/virtio/virtio_mmio.c); 512 or 4K. */
static void read_virtio_options(const char *cmdline)
{
	const char *at = cmdline;

	while ((at = strstr(at, VIRTIO_OPTION)) != NULL) {
		struct hw_device device = {
			.kind = HW_VIRTIO_MMIO, .source = HW_CMDLINE, .name = "virtio_mmio"};
		char *end;

		at += sizeof(VIRTIO_OPTION) - 1;
		device.size = strtoul(at, &end, 0);
		if (*end == 'K' || *end == 'k') {
			device.size *= 1024;
			end++;
		}
		if (end == at || *end != '@')
			continue;
		device.base = strtoul(end + 1, &end, 0);
		if (*end != ':')
			continue;
		device.irq = (int)strtoul(end + 1, &end, 0);
		hw_add(&device);
	}
}

static void add_built_in(void)
{
	for (size_t i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++) {
		struct hw_device device = built_in[i];

		device.source = HW_BUILT_IN;
		if (hw_find(device.kind, 0) == NULL)
			hw_add(&device);
	}
}

static void count_cpus(void)
{
	if (hw.cpus != 0)
		return;
	hw.cpus = fwcfg_read_cpus(); /* QEMU's trees have no CPUs */
	hw.cpus_source = HW_FW_CFG;
	if (hw.cpus != 0)
		return;
	hw.cpus = 1;
	hw.cpus_source = HW_BUILT_IN;
}

void hw_discover(const void *start, uint32_t magic)
{
	const void *fdt = NULL;

	hw.cmdline = "";
	if (magic == MULTIBOOT2_MAGIC)
		read_multiboot2(start);
	else
		fdt = read_start_info(start);

	if (fdt != NULL && fdt_read(fdt, HW_MODULE_FDT) == 0)
		hw.fdt_source = HW_MODULE_FDT;
	if (hw.fdt_source == HW_UNKNOWN && (fdt = fwcfg_read_fdt()) != NULL &&
		fdt_read(fdt, HW_FW_CFG_FDT) == 0)
		hw.fdt_source = HW_FW_CFG_FDT;
	read_virtio_options(hw.cmdline);
	if (hw.fdt_source != HW_MODULE_FDT)
		add_built_in();
	if (hw.fdt_source != HW_MODULE_FDT || hw_find(HW_PCI_HOST, 0) != NULL)
		pci_discover();
	count_cpus();
}
