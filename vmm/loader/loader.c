#include "loader/loader.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "loader/bzimage.h"
#include "loader/elf.h"
#include "loader/image.h"
#include "loader/multiboot.h"
#include "memory/guest_memory.h"
#include "util/bytes.h"
#include "util/error.h"
#include "util/size.h"
#include "x86/boot_params.h"
#include "x86/e820.h"
#include "x86/layout.h"
#include "x86/multiboot.h"
#include "x86/page_tables.h"
#include "x86/pvh.h"

bool boot_protocol_wants_pc(enum boot_protocol protocol)
{
	return protocol == PROTOCOL_MULTIBOOT || protocol == PROTOCOL_FLAT ||
	       protocol == PROTOCOL_BOOT_SECTOR;
}

/* Kernels that cannot be booted, but can be told apart: their users get to know what to do. */
static const struct {
	unsigned offset;
	unsigned len;
	const char *magic;
	const char *advice;
} foreign_formats[] = {
	{0, 3, "BZh", "compressed by bzip2; unpack it with bunzip2"},
	{0, 4, "\x04\x22\x4d\x18", "compressed by lz4; unpack it with unlz4"},
	{0, 2, "MZ", "a PE (EFI) executable; use the kernel's ELF file"},
	{0, 2, "#!", "a script"},
};

static int refuse(const struct image *image, const uint8_t *head, size_t len, struct error *error)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(foreign_formats); i++) {
		if (foreign_formats[i].offset + foreign_formats[i].len <= len &&
			!memcmp(head + foreign_formats[i].offset, foreign_formats[i].magic,
				foreign_formats[i].len)) {
			return error_set(error, ERROR_IMAGE, -ENOEXEC, "%s: %s", image->name,
				foreign_formats[i].advice);
		}
	}
	return error_set(error, ERROR_IMAGE, -ENOEXEC,
		"%s: not a kernel that lodge can boot: neither ELF nor bzImage nor multiboot; 16-bit code has "
		"to be called so, with --format flat",
		image->name);
}

/* The first bytes of a file, where all formats that lodge boots show what they are. */
struct head {
	uint8_t bytes[KIB(8)];
	size_t len;
	bool has_multiboot;
	struct multiboot_header multiboot;
};

/* Such a header may be 32 KiB into the file. Who does not come here shall not have a stack of that size. */
static __attribute__((noinline)) int refuse_multiboot2(const struct image *image, struct error *error)
{
	uint8_t bytes[KIB(32)];
	size_t len = MIN(image->size, sizeof(bytes));
	int err = image_read(image, 0, bytes, len, "the first bytes", error);

	if (err || !multiboot2_find(bytes, len))
		return err;
	return error_set(error, ERROR_IMAGE, -ENOEXEC,
		"%s: a multiboot 2 kernel; lodge boots multiboot 1 and PVH", image->name);
}

static int probe_elf(
	const struct image *image, const struct head *head, struct kernel *kernel, struct error *error)
{
	struct elf_kernel elf;
	int err = elf_read(image, head->has_multiboot ? BOOT_LOW_BASE : RAM_HIGH, &elf, error);

	if (err)
		return err;
	if (!elf.has_pvh_entry && head->has_multiboot)
		return multiboot_probe(image, &head->multiboot, &elf, kernel, error);
	if (head->has_multiboot) {
		err = segments_check(&elf.segments, image, RAM_HIGH, error);
		if (err)
			return err;
	}
	kernel->segments = elf.segments;
	if (elf.has_pvh_entry) {
		kernel->protocol = PROTOCOL_PVH;
		kernel->format = elf.bits == 64 ? "ELF64 with a PVH note" : "ELF32 with a PVH note";
		kernel->entry = elf.pvh_entry;
		return 0;
	}
	err = refuse_multiboot2(image, error);
	if (err)
		return err;
	if (elf.bits == 32) {
		return error_set(error, ERROR_IMAGE, -ENOEXEC,
			"%s: a 32-bit ELF file with neither a PVH note nor a multiboot header", image->name);
	}
	kernel->protocol = PROTOCOL_LINUX64;
	kernel->format = "ELF64, 64-bit entry";
	return elf_entry(&elf, image, &kernel->entry, error);
}

int loader_probe(const struct image *image, struct kernel *ret_kernel, struct error *error)
{
	struct kernel kernel = {
		.name = image->name,
		.compression = image->compression,
		.initrd_limit = HOLE_BASE,
		.cmdline_max = BOOT_CMDLINE_SIZE - 1,
	};
	struct head head;
	int err;

	head.len = MIN(image->size, sizeof(head.bytes));
	err = image_read(image, 0, head.bytes, head.len, "the first bytes", error);
	if (err)
		return err;
	head.has_multiboot = multiboot_find(head.bytes, head.len, &head.multiboot);
	if (head.len >= SELFMAG && !memcmp(head.bytes, ELFMAG, SELFMAG))
		err = probe_elf(image, &head, &kernel, error);
	else if (bzimage_is(head.bytes, head.len))
		err = bzimage_probe(image, &kernel, error);
	else if (head.has_multiboot)
		err = multiboot_probe(image, &head.multiboot, NULL, &kernel, error);
	else
		err = refuse(image, head.bytes, head.len, error);
	if (!err)
		*ret_kernel = kernel;
	return err;
}

int loader_probe_flat(const struct image *image, struct kernel *ret_kernel, struct error *error)
{
	struct kernel kernel = {
		.protocol = PROTOCOL_FLAT,
		.format = "flat 16-bit image",
		.name = image->name,
		.segments = {.one = "the image", .count = 1},
	};

	if (image->size > BOOT_FLAT_SIZE) {
		return error_set(error, ERROR_IMAGE, -EFBIG,
			"%s: a flat image of %" PRIu64 " bytes; conventional memory has room for %u",
			image->name, image->size, BOOT_FLAT_SIZE);
	}
	kernel.segments.at[0] = (struct segment){
		.filesz = image->size,
		.memsz = image->size,
		.paddr = BOOT_FLAT_BASE,
	};
	*ret_kernel = kernel;
	return 0;
}

int loader_probe_disk(const char *path, struct kernel *ret_kernel, struct error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t bytes[512];
	ssize_t len = fd < 0 ? -1 : pread(fd, bytes, sizeof(bytes), 0);
	int err = len < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	if (err)
		return error_set(error, ERROR_IMAGE, -err, "%s: %s", path, strerror(err));
	if (len < 512 || bytes[510] != 0x55 || bytes[511] != 0xaa) {
		return error_set(error, ERROR_IMAGE, -ENOEXEC,
			"%s: not bootable: its first 512 bytes do not end with 55 AA; a boot loader's installer sees to that",
			path);
	}
	*ret_kernel = (struct kernel){
		.protocol = PROTOCOL_BOOT_SECTOR, .format = "a disk's boot sector", .name = path};
	return 0;
}

int loader_load_kernel(const struct kernel *kernel, const struct image *image, const struct guest_memory *mem,
	struct error *error)
{
	return segments_load(&kernel->segments, image, mem, error);
}

int loader_load_initrd(const struct image *image, const struct guest_memory *mem, const struct kernel *kernel,
	uint64_t *ret_base, struct error *error)
{
	uint64_t memory = mem->regions[0].gpa + mem->regions[0].size, top = MIN(memory, kernel->initrd_limit);
	uint64_t bottom = MAX(align_up(segments_end(&kernel->segments), 0x1000), RAM_HIGH);
	uint64_t base = align_down(top - MIN(image->size, top), 0x1000);
	char text[SIZE_TEXT_MAX];
	int err;

	size_format(image->size, text);
	if (base < bottom && top < memory) {
		return error_set(error, ERROR_IMAGE, -ENOMEM,
			"%s: an initrd of %s does not fit between the kernel and 0x%" PRIx64
			", where %s wants it to end",
			image->name, text, top, kernel->name);
	}
	if (base < bottom) {
		return error_set(error, ERROR_IMAGE, -ENOMEM,
			"%s: an initrd of %s does not fit behind the kernel; give the guest more memory "
			"with -m",
			image->name, text);
	}
	err = image_read(image, 0, guest_memory_at(mem, base, image->size), image->size, "the initrd", error);
	if (!err)
		*ret_base = base;
	return err;
}

static uint64_t write_start_info(const struct boot_data *data, const struct e820_entry *map,
	unsigned map_count, const struct guest_memory *mem)
{
	/* Linux takes the first module for its initrd, so that has its place even where there is none. */
	const struct pvh_module modules[] = {
		{.base = data->initrd_base, .size = data->initrd_size},
		{.base = BOOT_FDT_BASE, .size = data->fdt_size, .name = "fdt"},
	};
	const struct pvh_config config = {
		.cmdline = BOOT_CMDLINE_BASE,
		.rsdp = data->rsdp,
		.map = map,
		.map_count = map_count,
		.modules = modules,
		.module_count = ARRAY_SIZE(modules),
	};

	pvh_start_info_build(
		&config, guest_memory_at(mem, BOOT_START_INFO, BOOT_START_SIZE), BOOT_START_INFO);
	return BOOT_START_INFO;
}

/*
 * One description of the machine is enough: a kernel that knows both ACPI and device trees would find each CPU
 * and device twice. So Linux gets the tree where there is no ACPI.
 */
static uint64_t write_setup_data(const struct boot_data *data, const struct guest_memory *mem)
{
	if (data->rsdp || !data->fdt_size)
		return 0;
	boot_params_setup_dtb(
		guest_memory_at(mem, BOOT_SETUP_DATA, BOOT_SETUP_DATA_SIZE), (uint32_t)data->fdt_size);
	return BOOT_SETUP_DATA;
}

static uint64_t write_boot_params(const struct boot_data *data, const struct kernel *kernel,
	const struct e820_entry *map, unsigned map_count, const struct guest_memory *mem)
{
	const struct boot_params_config config = {
		.header = kernel->setup.len ? &kernel->setup : NULL,
		.load_address = (uint32_t)kernel->segments.at[0].paddr,
		.cmdline = BOOT_CMDLINE_BASE,
		.cmdline_len = (uint32_t)strlen(data->cmdline),
		.initrd_base = (uint32_t)data->initrd_base,
		.initrd_size = (uint32_t)data->initrd_size,
		.rsdp = data->rsdp,
		.setup_data = write_setup_data(data, mem),
		.map = map,
		.map_count = map_count,
	};

	boot_params_build(&config, guest_memory_at(mem, BOOT_PARAMS_BASE, BOOT_PARAMS_SIZE));
	return BOOT_PARAMS_BASE;
}

static uint64_t write_multiboot_info(const struct boot_data *data, const struct e820_entry *map,
	unsigned map_count, const struct guest_memory *mem)
{
	const struct multiboot_config config = {
		.low_size = mem->regions[0].size,
		.cmdline = BOOT_CMDLINE_BASE,
		.module_base = (uint32_t)data->initrd_base,
		.module_size = (uint32_t)data->initrd_size,
		.map = map,
		.map_count = map_count,
	};

	multiboot_info_build(
		&config, guest_memory_at(mem, BOOT_START_INFO, BOOT_START_SIZE), BOOT_START_INFO);
	return BOOT_START_INFO;
}

/*
 * A multiboot kernel takes the first word for its own name, as GRUB Legacy and QEMU have it. What would make
 * two words of that name is replaced.
 */
static size_t put_own_name(const struct kernel *kernel, char *text, size_t size)
{
	const char *slash = strrchr(kernel->name, '/'), *name = slash ? slash + 1 : kernel->name;
	size_t len = 0;

	for (; len < size - 1 && name[len]; len++)
		text[len] = (char)(name[len] > ' ' ? name[len] : '_');
	text[len] = '\0';
	return len;
}

static int write_cmdline(const struct boot_data *data, const struct kernel *kernel,
	const struct guest_memory *mem, struct error *error)
{
	char text[2 * BOOT_CMDLINE_SIZE];
	size_t len = 0, max = kernel->cmdline_max;

	if (kernel->protocol == PROTOCOL_MULTIBOOT)
		len = put_own_name(kernel, text, BOOT_CMDLINE_SIZE);
	if (len && *data->cmdline)
		text[len++] = ' ';
	len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", data->cmdline);
	if (len > max) {
		return error_set(error, ERROR_IMAGE, -E2BIG,
			"%s: a command line of %zu bytes is longer than this kernel takes: %zu", kernel->name,
			len, max);
	}
	return guest_memory_write(mem, BOOT_CMDLINE_BASE, text, len + 1);
}

int loader_write_boot_data(const struct boot_data *data, const struct kernel *kernel,
	const struct guest_memory *mem, struct boot_state *ret_state, struct error *error)
{
	struct boot_state state = {.rip = kernel->entry, .rsp = BOOT_STACK_TOP};
	struct e820_entry map[E820_ENTRIES_MAX];
	uint64_t low = mem->regions[0].size;
	unsigned count = e820_build(map, low, guest_memory_size(mem) - low);
	int err;

	if (kernel->protocol == PROTOCOL_FLAT) {
		*ret_state = (struct boot_state){.mode = BOOT_REAL_16, .rsp = BOOT_FLAT_STACK};
		return 0;
	}
	err = write_cmdline(data, kernel, mem, error);
	if (err)
		return err;
	switch (kernel->protocol) {
	case PROTOCOL_PVH:
		state.mode = BOOT_PROTECTED_32;
		state.rbx = write_start_info(data, map, count, mem);
		break;
	case PROTOCOL_MULTIBOOT:
		state.mode = BOOT_PROTECTED_32;
		state.rax = MULTIBOOT_BOOT_MAGIC;
		state.rbx = write_multiboot_info(data, map, count, mem);
		break;
	default:
		state.mode = BOOT_LONG_64;
		state.rsi = write_boot_params(data, kernel, map, count, mem);
		page_tables_build(guest_memory_at(mem, BOOT_PAGES_BASE, BOOT_PAGES_SIZE), BOOT_PAGES_BASE);
		break;
	}
	*ret_state = state;
	return 0;
}
