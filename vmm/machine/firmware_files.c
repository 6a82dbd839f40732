/*
 * What other firmware reads from fw_cfg, under the keys and names that QEMU has for it: SeaBIOS and qboot are told of memory
 * and a kernel that way. Nearly all of it is in vm->staged already.
 */
#include <errno.h>
#include <stdlib.h>

#include "machine/vm.h"
#include "util/error.h"
#include "x86/e820.h"

#define OPTION_ROM  "genroms/latchkey.bin"
#define SETUP_MAX   KIB(128) /* a bzImage's 16-bit part: 255 sectors at most, and the first */
#define SETUP_ADDR  0x10000u
#define KERNEL_ADDR 0x100000u

extern const char option_image_start[], option_image_end[];

struct firmware_files {
	struct e820_entry e820[GUEST_REGIONS_MAX + 1];
	uint8_t setup[SETUP_MAX];
};

/* Only RAM and what firmware cannot know of: what is below 1 MiB is its own. */
static int add_memory(struct lodge_vm *vm, struct e820_entry *e820)
{
	unsigned i;

	for (i = 0; i < vm->mem.count; i++)
		e820[i] = (struct e820_entry){vm->mem.regions[i].gpa, vm->mem.regions[i].size, E820_RAM};
	e820[i++] = (struct e820_entry){KVM_IDENTITY_BASE, HOLE_END - KVM_IDENTITY_BASE, E820_RESERVED};
	return fwcfg_add_file(&vm->board.fwcfg, "etc/e820", e820, (uint32_t)(i * sizeof(*e820)));
}

/* What lies at gpa, by three keys: where, how long, and the bytes. */
static int add_data(
	struct fwcfg *fwcfg, const uint16_t keys[3], uint64_t gpa, const void *bytes, uint64_t len)
{
	int err = fwcfg_add_number(fwcfg, keys[0], gpa, 4);

	err = err ?: fwcfg_add_number(fwcfg, keys[1], len, 4);
	return err ?: fwcfg_add_bytes(fwcfg, keys[2], bytes, (uint32_t)len);
}

/*
 * A bzImage comes in its two parts. Of an ELF file with a PVH note firmware wants the entry, and the first bytes, by which it
 * knows it: as with QEMU, its segments are in memory when the firmware starts. Neither firmware knows other kernels.
 */
static int add_kernel(struct lodge_vm *vm, uint8_t *setup, struct error *error)
{
	static const uint16_t setup_keys[] = {FW_CFG_SETUP_ADDR, FW_CFG_SETUP_SIZE, FW_CFG_SETUP_DATA},
			      kernel_keys[] = {FW_CFG_KERNEL_ADDR, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_DATA};
	const struct kernel *kernel = &vm->kernel_plan;
	const struct segment *first = &kernel->segments.at[0];
	bool pvh = kernel->protocol == PROTOCOL_PVH;
	uint64_t len = MIN(pvh ? vm->kernel.size : first->offset, SETUP_MAX);
	struct fwcfg *fwcfg = &vm->board.fwcfg;
	int err;

	if (!pvh && !kernel->setup.len)
		return 0;
	err = image_read(&vm->kernel, 0, setup, len, "the first part", error);
	if (!err && pvh)
		err = loader_load_kernel(kernel, &vm->kernel, &vm->mem, error);
	err = err ?: fwcfg_add_number(fwcfg, FW_CFG_KERNEL_ENTRY, kernel->entry, 4);
	err = err ?: add_data(fwcfg, setup_keys, SETUP_ADDR, setup, len);
	return err
	               ?: add_data(fwcfg, kernel_keys, KERNEL_ADDR,
				  guest_memory_at(&vm->staged, first->paddr, first->filesz), first->filesz);
}

int firmware_add_files(struct lodge_vm *vm, struct error *error)
{
	static const uint16_t cmdline_keys[] = {FW_CFG_CMDLINE_ADDR, FW_CFG_CMDLINE_SIZE,
		FW_CFG_CMDLINE_DATA},
			      initrd_keys[] = {FW_CFG_INITRD_ADDR, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA};
	/* SeaBIOS boots no kernel itself, but option ROMs that do; and its console is a port, as there is no screen. */
	static const char order[] = "/rom@" OPTION_ROM "\n";
	static const uint16_t com1 = COM1_PORT;
	struct firmware_files *files = vm->firmware_files = calloc(1, sizeof(*files));
	const uint8_t *low = vm->staged.regions[0].hva;
	struct fwcfg *fwcfg = &vm->board.fwcfg;
	int err;

	error_set(error, ERROR_VMM, -ENOMEM, "fw_cfg: %s", strerror(ENOMEM));
	if (!files)
		return -ENOMEM;
	err = add_kernel(vm, files->setup, error);
	err = err ?: add_memory(vm, files->e820);
	/* Where kernels look for the RSDP; qboot leaves it alone, SeaBIOS is there itself. */
	err = err ?: guest_memory_write(&vm->mem, ACPI_BASE, low + ACPI_BASE, ACPI_SIZE);
	err = err
	              ?: add_data(fwcfg, cmdline_keys, BOOT_CMDLINE_BASE, low + BOOT_CMDLINE_BASE,
				 strlen((const char *)low + BOOT_CMDLINE_BASE) + 1);
	if (!err && vm->initrd.size)
		err = add_data(fwcfg, initrd_keys, vm->initrd_base, low + vm->initrd_base, vm->initrd.size);
	err = err ?: fwcfg_add_file(fwcfg, "etc/fdt", low + BOOT_FDT_BASE, BOOT_FDT_SIZE);
	err = err ?: fwcfg_add_file(fwcfg, "etc/sercon-port", &com1, sizeof(com1));
	err = err ?: fwcfg_add_file(fwcfg, "bootorder", order, sizeof(order));
	return err
	               ?: fwcfg_add_file(fwcfg, OPTION_ROM, option_image_start,
				  (uint32_t)(option_image_end - option_image_start));
}
