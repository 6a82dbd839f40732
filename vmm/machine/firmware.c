/* The firmware's ROM, and what it is told of the machine through fw_cfg. */
#include <errno.h>
#include <linux/kvm.h>

#include "loader/rom.h"
#include "machine/vm.h"

#define LATCHKEY "latchkey"

extern const char latchkey_image_start[], latchkey_image_end[];

int firmware_open(struct lodge_vm *vm, struct error *error)
{
	const char *name = vm->config.firmware;
	int err = 0;

	if (!name)
		return 0;
	if (!strcmp(name, LATCHKEY))
		image_from_bytes(&vm->firmware, LATCHKEY, latchkey_image_start,
			(uint64_t)(latchkey_image_end - latchkey_image_start));
	else
		err = image_open(&vm->firmware, name, error);
	return err ? err : rom_check(&vm->firmware, error);
}

/* latchkey itself wants neither; what its kernel wants is what the kernel's format says. */
bool firmware_wants_pc(const struct lodge_vm *vm)
{
	return vm->config.firmware && strcmp(vm->config.firmware, LATCHKEY) != 0;
}

int firmware_map(struct lodge_vm *vm)
{
	uint64_t size = vm->firmware.size;
	void *hva;
	int err;

	if (!vm->config.firmware)
		return 0;
	err = guest_memory_add_rom(&vm->mem, HOLE_END - size, size, &hva);
	return err ? err : kvm_vm_set_rom(&vm->kvm, vm->mem.count, HOLE_END - size, size, hva);
}

/* CPUID's leaf 1 begins with what EDX has at reset (Intel SDM vol. 3, 10.1.2). */
static uint32_t cpu_signature(const struct lodge_vm *vm)
{
	unsigned i;

	for (i = 0; i < vm->cpuid->nent; i++)
		if (vm->cpuid->entries[i].function == 1)
			return vm->cpuid->entries[i].eax;
	return 0;
}

int firmware_load(struct lodge_vm *vm, struct boot_state *state, struct error *error)
{
	int err;

	if (!vm->config.firmware)
		return 0;
	err = rom_load(&vm->firmware, vm->mem.rom.hva, &vm->mem, error);
	if (!err)
		*state = (struct boot_state){.mode = BOOT_RESET, .rip = 0xfff0, .rdx = cpu_signature(vm)};
	return err;
}
