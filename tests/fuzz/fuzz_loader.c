/*
 * A kernel file, as `lodge run` takes it: the input is the file, compressed or not, and its own initrd. It is a disk as well,
 * and a ROM; and it shrinks while it is read.
 */
#include "fuzz.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "loader/rom.h"
#include "loader/unpack.h"
#include "machine/vm.h"
#include "util/bytes.h"
#include "util/error.h"
#include "x86/layout.h"

#define MEMORY     MIB(16)
#define UNPACK_MAX KIB(640) /* more than a flat image may have */
#define ROM_SIZE   KIB(64)

/* An error is for a person: it has a kind and one line. */
static bool failed(int err, const struct error *error)
{
	FUZZ_CHECK(err <= 0);
	if (!err) {
		FUZZ_CHECK(error->kind == ERROR_NONE);
		return false;
	}
	FUZZ_CHECK(error->kind == ERROR_IMAGE || error->kind == ERROR_VMM);
	FUZZ_CHECK(*error->text && !strchr(error->text, '\n'));
	return true;
}

static void check_kernel(const struct kernel *kernel)
{
	FUZZ_CHECK(kernel->format && kernel->segments.count >= 1 && kernel->segments.count <= SEGMENTS_MAX);
	FUZZ_CHECK(kernel->setup.len <= sizeof(kernel->setup.bytes));
	FUZZ_CHECK(boot_protocol_wants_pc(kernel->protocol) ==
		   (kernel->protocol == PROTOCOL_FLAT || kernel->protocol == PROTOCOL_MULTIBOOT));
	if (kernel->protocol == PROTOCOL_FLAT)
		return;
	FUZZ_CHECK(kernel->entry < GIB(4) && segments_at(&kernel->segments, kernel->entry));
	for (unsigned i = 0; i < kernel->segments.count; i++) {
		const struct segment *segment = &kernel->segments.at[i];

		FUZZ_CHECK(segment->filesz <= segment->memsz);
		FUZZ_CHECK(segment->paddr >= RAM_HIGH || kernel->protocol == PROTOCOL_MULTIBOOT);
	}
}

/* The kernel is in memory as its file has it, and zeroes follow. */
static void check_loaded(
	const struct kernel *kernel, const struct image *image, const struct guest_memory *mem)
{
	for (unsigned i = 0; i < kernel->segments.count; i++) {
		const struct segment *segment = &kernel->segments.at[i];
		const uint8_t *at;

		if (!segment->memsz)
			continue;
		at = guest_memory_at(mem, segment->paddr, segment->memsz);
		FUZZ_CHECK(at);
		FUZZ_CHECK(!segment->filesz || !memcmp(at, image->bytes + segment->offset, segment->filesz));
		if (segment->memsz > segment->filesz)
			FUZZ_CHECK(at[segment->filesz] == 0 && at[segment->memsz - 1] == 0);
	}
}

static void check_initrd(const struct kernel *kernel, uint64_t base, uint64_t size)
{
	FUZZ_CHECK(base % 0x1000 == 0 && range_inside(base, size, RAM_HIGH, MEMORY - RAM_HIGH));
	FUZZ_CHECK(base + size <= kernel->initrd_limit);
	for (unsigned i = 0; i < kernel->segments.count; i++) {
		const struct segment *segment = &kernel->segments.at[i];

		FUZZ_CHECK(!ranges_overlap(base, size, segment->paddr, segment->memsz));
	}
}

static void load(const struct kernel *kernel, const struct image *image, const struct guest_memory *mem)
{
	static char longest[BOOT_CMDLINE_SIZE];
	struct boot_data data = {.cmdline = "console=ttyS0", .rsdp = image->size & 1 ? ACPI_BASE : 0};
	struct boot_state state;
	struct error error = {0};

	if (failed(loader_load_kernel(kernel, image, mem, &error), &error))
		return;
	check_loaded(kernel, image, mem);
	if (!failed(loader_load_initrd(image, mem, kernel, &data.initrd_base, &error), &error)) {
		check_initrd(kernel, data.initrd_base, image->size);
		data.initrd_size = image->size;
	}
	error = (struct error){0};
	if (!failed(loader_write_boot_data(&data, kernel, mem, &state, &error), &error))
		FUZZ_CHECK(kernel->protocol == PROTOCOL_FLAT || state.rip == kernel->entry);
	error = (struct error){0};
	memset(longest, 'x', sizeof(longest) - 1);
	data.cmdline = longest;
	data.fdt_size = 1000;
	failed(loader_write_boot_data(&data, kernel, mem, &state, &error), &error);
	check_loaded(kernel, image, mem);
}

static void boot(const struct image *image, bool flat)
{
	struct guest_memory mem = {0};
	struct kernel kernel;
	struct error error = {0};
	int err;

	err = flat ? loader_probe_flat(image, &kernel, &error) : loader_probe(image, &kernel, &error);
	if (failed(err, &error))
		return;
	check_kernel(&kernel);
	FUZZ_CHECK(!guest_memory_add(&mem, 0, MEMORY) && !guest_memory_add(&mem, HOLE_END, MEMORY));
	load(&kernel, image, &mem);
	guest_memory_fini(&mem);
}

static bool same_segments(const struct segments *a, const struct segments *b)
{
	if (a->count != b->count)
		return false;
	for (unsigned i = 0; i < a->count; i++) {
		const struct segment *x = &a->at[i], *y = &b->at[i];

		if (x->offset != y->offset || x->filesz != y->filesz || x->memsz != y->memsz ||
			x->paddr != y->paddr || x->vaddr != y->vaddr)
			return false;
	}
	return true;
}

/* There is no KVM: nobody needs to be told of a ROM. */
int __wrap_kvm_vm_set_rom(struct kvm_vm *kvm, unsigned slot, uint64_t gpa, uint64_t size, void *hva);
int __wrap_kvm_vm_set_rom(struct kvm_vm *kvm, unsigned slot, uint64_t gpa, uint64_t size, void *hva)
{
	(void)kvm;
	FUZZ_CHECK(slot == 2 && gpa + size == HOLE_END);
	*(uint8_t *)hva = 0; /* it can be filled */
	return 0;
}

static void set_line(void *ctx, bool level)
{
	(void)ctx;
	(void)level;
}

static struct irq_line get_line(void *ctx, unsigned pin)
{
	(void)ctx;
	(void)pin;
	return (struct irq_line){.set = set_line};
}

static bool plan_has(const struct boot_plan *plan, uint64_t base, uint64_t size)
{
	for (unsigned i = 0; i < plan->range_count; i++)
		if (plan->ranges[i].base == base && plan->ranges[i].size == size)
			return true;
	return false;
}

/* What latchkey is told to copy is there; and it is told of all that is below 1 MiB, of each segment, and of the initrd. */
static void check_plan(const struct lodge_vm *vm)
{
	static uint8_t copied[RAM_HIGH / 0x1000];
	const struct boot_plan *plan = &vm->boot_plan;
	const uint8_t *low = vm->staged.regions[0].hva;

	FUZZ_CHECK(plan->range_count <= BOOT_PLAN_RANGES_MAX && plan->mode <= BOOT_PLAN_LONG_64);
	memset(copied, 0, sizeof(copied));
	for (unsigned i = 0; i < plan->range_count; i++) {
		const struct boot_plan_range *range = &plan->ranges[i];

		FUZZ_CHECK(range->size && guest_memory_at(&vm->staged, range->base, range->size));
		for (uint64_t at = range->base; at < (uint64_t)range->base + range->size && at < RAM_HIGH;
			at += 0x1000)
			copied[at / 0x1000] = 1;
	}
	if (plan->mode == BOOT_PLAN_NONE)
		return;
	for (unsigned i = 0; i < vm->kernel_plan.segments.count; i++) {
		const struct segment *segment = &vm->kernel_plan.segments.at[i];

		FUZZ_CHECK(segment->paddr < RAM_HIGH || !segment->filesz ||
			   plan_has(plan, segment->paddr, segment->filesz));
	}
	FUZZ_CHECK(plan_has(plan, vm->initrd_base, vm->initrd.size));
	for (unsigned i = 0; i < sizeof(copied); i++)
		FUZZ_CHECK(copied[i] ||
			   (!low[i * 0x1000] && !memcmp(&low[i * 0x1000], &low[i * 0x1000 + 1], 0xfff)));
}

/* The guest reads what there is in fw_cfg: the first bytes by the ports, and all of it is there. */
static void read_fwcfg(struct lodge_vm *vm)
{
	const struct fwcfg *fwcfg = &vm->board.fwcfg;
	volatile uint8_t last;
	uint64_t byte;

	for (unsigned i = 0; i < fwcfg->item_count; i++) {
		const struct fwcfg_item *item = &fwcfg->items[i];
		const uint8_t *bytes = item->bytes ? item->bytes : (const uint8_t *)&item->number;

		bus_write(&vm->board.pio, FWCFG_PORT, 2, item->key);
		FUZZ_CHECK(bus_read(&vm->board.pio, FWCFG_PORT + 1, 1, &byte) >= 0);
		FUZZ_CHECK(byte == (item->size ? bytes[0] : 0));
		if (item->size)
			last = bytes[item->size - 1];
	}
	(void)last;
}

/* The machine that lodge_vm_new() makes, as far as it is of memory. */
static int make_machine(struct lodge_vm *vm, struct error *error)
{
	const struct board_config board = {.mem = &vm->mem,
		.irq = get_line,
		.irq_level = get_line,
		.disks = vm->disks,
		.cpus = vm->config.cpus};
	struct kvm_cpuid2 no_cpuid = {0};
	struct boot_state state = {0};
	int err = boot_judge(vm, error);

	if (err)
		return err;
	FUZZ_CHECK(!guest_memory_add(&vm->mem, 0, MEMORY) && !guest_memory_add(&vm->mem, HOLE_END, MEMORY));
	FUZZ_CHECK(!firmware_map(vm) && !board_init(&vm->board, &board));
	vm->cpuid = &no_cpuid;
	err = boot_load(vm, &state, error);
	err = err ?: firmware_load(vm, &state, error);
	if (!err && vm->config.firmware) {
		FUZZ_CHECK(state.mode == BOOT_RESET && state.rip == 0xfff0);
		check_plan(vm);
	}
	if (!err)
		read_fwcfg(vm);
	board_fini(&vm->board);
	free(vm->firmware_files);
	vm->cpuid = NULL;
	return err;
}

/* By a firmware, or none. */
static void boot_machine(const char *firmware, const char *path, enum lodge_format format)
{
	struct lodge_disk disk = {.path = path};
	static struct lodge_vm vm; /* large, and little of it is touched */
	struct error error = {0};
	uint8_t first[16];
	int err;

	vm.config = (struct lodge_config){.firmware = firmware,
		.format = format,
		.disks = &disk,
		.disk_count = 1,
		.memory = UNPACK_MAX,
		.cpus = 2};
	if (format != LODGE_FORMAT_BOOT_SECTOR)
		vm.config.kernel = path;
	if (format == LODGE_FORMAT_AUTO)
		vm.config.initrd = path;
	err = boot_open(&vm, &error);
	err = err ?: make_machine(&vm, &error);
	if (err) {
		failed(err, &error);
	} else if (format != LODGE_FORMAT_FLAT) {
		/* The ROM ends where a CPU begins, and its copy where it did once. */
		FUZZ_CHECK(!guest_memory_read(&vm.mem, HOLE_END - sizeof(first), first, sizeof(first)));
		FUZZ_CHECK(!memcmp(first, guest_memory_at(&vm.mem, RAM_HIGH - sizeof(first), sizeof(first)),
			sizeof(first)));
		FUZZ_CHECK(guest_memory_write(&vm.mem, HOLE_END - sizeof(first), first, sizeof(first)) ==
			   -EFAULT);
	}
	boot_close(&vm);
	guest_memory_fini(&vm.staged);
	guest_memory_fini(&vm.mem);
	vm.firmware_files = NULL;
	vm.kernel_plan = (struct kernel){0};
	vm.initrd_base = 0;
}

static void boot_rom(const struct image *image)
{
	struct guest_memory mem = {0};
	struct error error = {0};

	if (failed(rom_check(image, &error), &error))
		return;
	FUZZ_CHECK(!guest_memory_add(&mem, 0, MEMORY));
	FUZZ_CHECK(!guest_memory_add_rom(&mem, HOLE_END - image->size, image->size));
	FUZZ_CHECK(!failed(rom_load(image, mem.rom.hva, &mem, &error), &error));
	FUZZ_CHECK(!memcmp(mem.rom.hva, image->bytes, image->size));
	guest_memory_fini(&mem);
}

/* A file is read in pieces, and seen as its bytes are. */
static void probe_file(const char *path, const struct image *bytes)
{
	struct kernel kernel = {0}, expected = {0};
	struct error error = {0}, ignored;
	struct image image;
	int r;

	FUZZ_CHECK(!image_open(&image, path, &error));
	FUZZ_CHECK(!image_unpack(&image, UNPACK_MAX, &error) && image.size == bytes->size);
	r = loader_probe(&image, &kernel, &error);
	FUZZ_CHECK(r == loader_probe(bytes, &expected, &ignored));
	if (!failed(r, &error)) {
		FUZZ_CHECK(kernel.entry == expected.entry && kernel.format == expected.format);
		FUZZ_CHECK(same_segments(&kernel.segments, &expected.segments));
		FUZZ_CHECK(kernel.setup.len == expected.setup.len);
		FUZZ_CHECK(!memcmp(kernel.setup.bytes, expected.setup.bytes, kernel.setup.len));
	}
	image_close(&image);
}

/* Probes what may fail at any point: it says so. */
static void probe_anyway(struct image *image, struct kernel *ret_kernel)
{
	struct error error = {0};
	int err = image_unpack(image, UNPACK_MAX, &error);

	failed(err ?: loader_probe(image, ret_kernel, &error), &error);
}

/* Somebody cuts the file off, before or after lodge has looked what it is. */
static void shrink_file(const char *path, int fd, size_t size)
{
	struct guest_memory mem = {0};
	struct error error = {0};
	struct kernel kernel = {0};
	struct image image;

	FUZZ_CHECK(!image_open(&image, path, &error));
	if (size & 1)
		FUZZ_CHECK(!ftruncate(fd, (off_t)size / 2));
	probe_anyway(&image, &kernel);
	FUZZ_CHECK(!ftruncate(fd, (off_t)size / 3));
	if (kernel.format) {
		FUZZ_CHECK(!guest_memory_add(&mem, 0, MEMORY));
		failed(loader_load_kernel(&kernel, &image, &mem, &error), &error);
		guest_memory_fini(&mem);
	}
	image_close(&image);
	FUZZ_CHECK(!ftruncate(fd, 0));
	error = (struct error){0};
	FUZZ_CHECK(failed(image_open(&image, path, &error), &error));
}

/* There is no memory just when it is asked for. */
static void probe_poor(const uint8_t *data, size_t size)
{
	struct kernel kernel = {0};
	struct image image;

	image_from_bytes(&image, "fuzz", data, size);
	fuzz_refuse(size % 3);
	probe_anyway(&image, &kernel);
	FUZZ_CHECK(!fuzz_refused() || !kernel.format);
	image_close(&image);
}

/* An unlinked file; its path is there while the descriptor is. */
static int make_file(const uint8_t *data, size_t size, char path[32])
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

static void boot_file(const struct image *bytes, const uint8_t *data, size_t size)
{
	static const uint8_t rom[ROM_SIZE] = "others' firmware";
	static char rom_path[32];
	char path[32];
	int fd;

	if (!*rom_path)
		make_file(rom, ROM_SIZE, rom_path);
	fd = make_file(data, size, path);
	probe_file(path, bytes);
	boot_machine("latchkey", path, LODGE_FORMAT_AUTO);
	boot_machine(rom_path, path, LODGE_FORMAT_AUTO);
	boot_machine(NULL, path, LODGE_FORMAT_BOOT_SECTOR);
	boot_machine(NULL, path, LODGE_FORMAT_FLAT);
	shrink_file(path, fd, size);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error error = {0};
	struct image image;

	if (!size) /* image_open() has refused it */
		return 0;
	image_from_bytes(&image, "fuzz", data, size);
	if (!failed(image_unpack(&image, UNPACK_MAX, &error), &error)) {
		FUZZ_CHECK(image.size > 0 && (!image.compression || image.size <= UNPACK_MAX));
		boot(&image, false);
		boot(&image, true);
		boot_rom(&image);
		boot_file(&image, data, size);
	}
	image_close(&image);
	probe_poor(data, size);
	return 0;
}
