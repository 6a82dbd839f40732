/*
 * The firmware's ROM, and what it is told through fw_cfg. The kernel, its initrd and all that a kernel is told is made
 * as without firmware, but in memory that the guest does not see: a firmware takes from there what it needs.
 */
#include <errno.h>
#include <linux/kvm.h>

#include "loader/rom.h"
#include "machine/vm.h"
#include "util/clock.h"
#include "util/error.h"

#define LATCHKEY  "latchkey"
#define PAGE_SIZE 4096u
#define RESET_IP  0xfff0

extern const char latchkey_image_start[], latchkey_image_end[];

int firmware_open(struct lodge_vm *vm, struct error *error)
{
	const char *name;
	int err = 0;

	if (!vm->config.firmware && vm->config.format == LODGE_FORMAT_BOOT_SECTOR)
		vm->config.firmware = LATCHKEY;
	name = vm->config.firmware;
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
	unsigned i;
	int err;

	if (!vm->config.firmware)
		return 0;
	err = guest_memory_add_rom(&vm->mem, HOLE_END - size, size);
	err = err ?: kvm_vm_set_rom(&vm->kvm, vm->mem.count, HOLE_END - size, size, vm->mem.rom.hva);
	for (i = 0; !err && i < vm->mem.count; i++)
		err = guest_memory_add(&vm->staged, vm->mem.regions[i].gpa, vm->mem.regions[i].size);
	return err;
}

/* CPUID's leaf 1 begins with what EDX has at reset (Intel SDM vol. 3, 10.1.2). */
static uint32_t cpu_signature(const struct kvm_cpuid2 *cpuid)
{
	unsigned i;

	for (i = 0; i < cpuid->nent && cpuid->entries[i].function != 1; i++)
		;
	return i < cpuid->nent ? cpuid->entries[i].eax : 0;
}

static_assert(BOOT_PLAN_RANGES_MAX >= SEGMENTS_MAX + 20, "all segments, an initrd, and what is below 1 MiB");

static void add_range(struct boot_plan *plan, uint64_t base, uint64_t size)
{
	if (size)
		plan->ranges[plan->range_count++] = (struct boot_plan_range){(uint32_t)base, (uint32_t)size};
}

/*
 * Below 1 MiB, the pages that have something; and the whole place of the ROM's copy, which without firmware is as
 * good as empty.
 */
static void plan_low_memory(const struct lodge_vm *vm, struct boot_plan *plan)
{
	static const uint8_t zeroes[PAGE_SIZE];
	const uint8_t *low = vm->staged.regions[0].hva;
	uint64_t base = 0, page, copy = RAM_HIGH - MIN(vm->firmware.size, ROM_LOW_MAX);

	for (page = 0; page < copy; page += PAGE_SIZE) {
		if (!memcmp(low + page, zeroes, PAGE_SIZE)) {
			add_range(plan, base, page - base);
			base = page + PAGE_SIZE;
		}
	}
	add_range(plan, base, RAM_HIGH - base);
}

static int plan_kernel(struct lodge_vm *vm, const struct boot_state *state, struct error *error)
{
	const struct segments *segments = &vm->kernel_plan.segments;
	struct boot_plan *plan = &vm->boot_plan;
	struct kvm_sregs sregs = {0};
	struct kvm_regs regs;
	unsigned i;

	/* No kernel yet: tables alone. Where the ROM's copy has its reset vector, a jump is to be a reset. */
	if (vm->kernel_plan.protocol == PROTOCOL_BOOT_SECTOR) {
		*plan = (struct boot_plan){.mode = BOOT_PLAN_NONE};
		add_range(plan, ACPI_BASE, ACPI_SIZE);
		add_range(plan, MPTABLE_BASE, MPTABLE_SIZE);
		add_range(plan, RESET_VECTOR_BASE, RESET_VECTOR_SIZE);
		return 0;
	}
	boot_regs_build(state, &regs, &sregs, guest_memory_at(&vm->staged, BOOT_GDT_BASE, BOOT_GDT_SIZE));
	*plan = (struct boot_plan){
		.mode = state->mode == BOOT_LONG_64 ? BOOT_PLAN_LONG_64 : BOOT_PLAN_PROTECTED_32,
		.rip = (uint32_t)state->rip,
		.rsp = (uint32_t)state->rsp,
		.rax = (uint32_t)state->rax,
		.rbx = (uint32_t)state->rbx,
		.rsi = (uint32_t)state->rsi,
		.gdt = BOOT_GDT_BASE,
		.gdt_limit = BOOT_GDT_SIZE - 1,
		.cr3 = BOOT_PAGES_BASE,
	};
	plan_low_memory(vm, plan);
	for (i = 0; i < segments->count; i++) {
		const struct segment *segment = &segments->at[i];

		if (segment->paddr >= HOLE_END) {
			return error_set(error, ERROR_IMAGE, -ENOEXEC,
				"%s: a segment lies above 4 GiB, where latchkey puts none", vm->kernel.name);
		}
		if (segment->paddr >= RAM_HIGH)
			add_range(plan, segment->paddr, segment->filesz);
	}
	add_range(plan, vm->initrd_base, vm->initrd.size);
	return 0;
}

/* On the vCPU's thread, which is joined before anybody reads it. */
static void kernel_entered(void *ctx)
{
	struct lodge_vm *vm = ctx;

	if (!vm->firmware_us)
		vm->firmware_us = (clock_ns() - vm->started_at) / 1000;
}

/* What a BIOS tells by INT 15h, and what a kernel from a disk may look for: nobody hands it a device tree. */
static int add_disk_files(struct lodge_vm *vm)
{
	uint64_t low = vm->mem.regions[0].size;
	unsigned count = e820_build(vm->e820, low, guest_memory_size(&vm->mem) - low);
	int err =
		fwcfg_add_file(&vm->board.fwcfg, "etc/e820", vm->e820, count * (uint32_t)sizeof(vm->e820[0]));

	return err
	               ?: fwcfg_add_file(&vm->board.fwcfg, "etc/fdt",
				  guest_memory_at(&vm->staged, BOOT_FDT_BASE, BOOT_FDT_SIZE), BOOT_FDT_SIZE);
}

static int add_files(struct lodge_vm *vm, struct error *error)
{
	struct fwcfg *fwcfg = &vm->board.fwcfg;
	const struct guest_region *low = &vm->staged.regions[0];
	int err = fwcfg_add_file(fwcfg, BOOT_PLAN_FILE, &vm->boot_plan, sizeof(vm->boot_plan));

	err = err ?: fwcfg_add_file(fwcfg, BOOT_MEMORY_FILE, low->hva, (uint32_t)low->size);
	err = err ?: fwcfg_add_signal(fwcfg, BOOT_ENTERED_FILE, kernel_entered, vm);
	if (!err && vm->kernel_plan.protocol == PROTOCOL_BOOT_SECTOR)
		err = add_disk_files(vm);
	if (err)
		return error_set(error, ERROR_VMM, err, "fw_cfg: %s", strerror(-err));
	return firmware_wants_pc(vm) ? firmware_add_files(vm, error) : 0;
}

int firmware_load(struct lodge_vm *vm, struct boot_state *state, struct error *error)
{
	int err;

	if (!vm->config.firmware)
		return 0;
	err = plan_kernel(vm, state, error);
	err = err ?: add_files(vm, error);
	err = err ?: rom_load(&vm->firmware, vm->mem.rom.hva, &vm->mem, error);
	if (err)
		return err;
	*state = (struct boot_state){.mode = BOOT_RESET, .rip = RESET_IP, .rdx = cpu_signature(vm->cpuid)};
	return 0;
}
