/* The kernel, its initrd and the tables that tell it of the machine, in guest memory. */
#include <string.h>

#include "loader/image.h"
#include "loader/loader.h"
#include "loader/unpack.h"
#include "machine/vm.h"
#include "util/bytes.h"
#include "util/error.h"
#include "x86/acpi.h"
#include "x86/mptable.h"
#include "x86/reset_vector.h"

extern const char lodger_image_start[], lodger_image_end[];

int boot_open(struct lodge_vm *vm, struct error *error)
{
	int err = 0;

	if (vm->config.format == LODGE_FORMAT_BOOT_SECTOR)
		err = loader_probe_disk(vm->config.disks[0].path, &vm->kernel_plan, error);
	else if (vm->config.kernel)
		err = image_open(&vm->kernel, vm->config.kernel, error);
	else
		image_from_bytes(&vm->kernel, "lodger", lodger_image_start,
			(uint64_t)(lodger_image_end - lodger_image_start));
	if (!err && vm->config.initrd)
		err = image_open(&vm->initrd, vm->config.initrd, error);
	return err ? err : firmware_open(vm, error);
}

int boot_judge(struct lodge_vm *vm, struct error *error)
{
	int err = 0;

	/* 16-bit code has no magic, and what looks compressed may be code. */
	if (vm->config.format == LODGE_FORMAT_FLAT) {
		err = loader_probe_flat(&vm->kernel, &vm->kernel_plan, error);
	} else if (vm->config.format != LODGE_FORMAT_BOOT_SECTOR) {
		err = image_unpack(&vm->kernel, MIN(vm->config.memory, GIB(4)), error);
		if (!err)
			err = loader_probe(&vm->kernel, &vm->kernel_plan, error);
	}
	return err ? err : irqchip_check(vm, error);
}

void boot_close(struct lodge_vm *vm)
{
	image_close(&vm->kernel);
	image_close(&vm->initrd);
	image_close(&vm->firmware);
}

static int build_fdt(
	struct lodge_vm *vm, const struct guest_memory *mem, struct boot_data *data, struct error *error)
{
	struct hw_range ranges[GUEST_REGIONS_MAX];
	struct fdt_config config = {
		.devices = vm->board.devices,
		.device_count = vm->board.device_count,
		.memory = ranges,
		.memory_count = vm->mem.count,
		.cpus = vm->config.cpus,
		.bootargs = data->cmdline,
		.stdout_path = "/isa/serial@i3f8",
		.initrd_base = data->initrd_base,
		.initrd_size = data->initrd_size,
	};
	unsigned i;
	int err;

	for (i = 0; i < vm->mem.count; i++)
		ranges[i] = (struct hw_range){vm->mem.regions[i].gpa, vm->mem.regions[i].size};
	err = fdt_build(
		&config, guest_memory_at(mem, BOOT_FDT_BASE, BOOT_FDT_SIZE), BOOT_FDT_SIZE, &data->fdt_size);
	if (err)
		return error_set(error, ERROR_VMM, err, "the device tree: %s", strerror(-err));
	return 0;
}

/* What a kernel finds that reads no FDT: ACPI first, and the MP table for those that have not even that. */
static int build_tables(
	struct lodge_vm *vm, const struct guest_memory *mem, struct boot_data *data, struct error *error)
{
	const struct acpi_config acpi = {
		.devices = vm->board.devices,
		.device_count = vm->board.device_count,
		.cpus = vm->config.cpus,
		.pic = !vm->split_irqchip,
	};
	const struct mptable_config mptable = {
		.devices = vm->board.devices,
		.device_count = vm->board.device_count,
		.cpus = vm->config.cpus,
		.pic = !vm->split_irqchip,
	};
	int err = 0;

	if (!vm->config.no_acpi) {
		err = acpi_build(&acpi, guest_memory_at(mem, ACPI_BASE, ACPI_SIZE), ACPI_SIZE, ACPI_BASE);
		data->rsdp = ACPI_BASE;
	}
	if (!err)
		err = mptable_build(&mptable, guest_memory_at(mem, MPTABLE_BASE, MPTABLE_SIZE), MPTABLE_SIZE,
			MPTABLE_BASE);
	if (err)
		return error_set(error, ERROR_VMM, err, "ACPI and MP tables: %s", strerror(-err));
	reset_vector_build(guest_memory_at(mem, RESET_VECTOR_BASE, RESET_VECTOR_SIZE));
	return 0;
}

int boot_load(struct lodge_vm *vm, struct boot_state *ret_state, struct error *error)
{
	struct boot_data data = {.cmdline = vm->config.append ? vm->config.append : ""};
	const struct guest_memory *mem = vm->config.firmware ? &vm->staged : &vm->mem;
	const struct kernel *kernel = &vm->kernel_plan;
	bool disk = kernel->protocol == PROTOCOL_BOOT_SECTOR;
	int err = disk ? 0 : loader_load_kernel(kernel, &vm->kernel, mem, error);

	if (!err && vm->config.initrd) {
		err = loader_load_initrd(&vm->initrd, mem, kernel, &vm->initrd_base, error);
		data.initrd_base = vm->initrd_base;
		data.initrd_size = vm->initrd.size;
	}
	if (!err && kernel->protocol != PROTOCOL_FLAT)
		err = build_fdt(vm, mem, &data, error);
	if (!err)
		err = build_tables(vm, mem, &data, error);
	if (err || disk)
		return err;
	return loader_write_boot_data(&data, kernel, mem, ret_state, error);
}
