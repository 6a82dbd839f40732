#include "loader/multiboot.h"

#include <errno.h>
#include <inttypes.h>

#include "loader/elf.h"
#include "loader/image.h"
#include "loader/kernel.h"
#include "util/bytes.h"
#include "util/error.h"
#include "x86/layout.h"

#define HEADER_MAGIC 0x1badb002u
#define HEADER_LEN   12 /* magic, flags, checksum; addresses may follow */

/* Flags 0 to 15 are demands: a loader that cannot meet one must not boot the kernel. */
#define WANTS_PAGE_ALIGN (1u << 0) /* modules are always page-aligned here */
#define WANTS_MEMORY     (1u << 1) /* and memory is always told of */
#define WANTS_VIDEO      (1u << 2)
#define DEMANDS          0xffffu
#define HAS_ADDRESSES    (1u << 16)

/* Multiboot 2: within 32 KiB, 8-aligned; magic, architecture, length, checksum. */
#define HEADER2_MAGIC 0xe85250d6u
#define HEADER2_LEN   16

static int bad(const struct image *image, struct error *error, const char *why)
{
	return error_set(error, ERROR_IMAGE, -ENOEXEC, "%s: %s", image->name, why);
}

static uint32_t word(const uint8_t *from, unsigned index)
{
	return (uint32_t)load_le(from + 4UL * index, 4);
}

bool multiboot_find(const uint8_t *head, size_t len, struct multiboot_header *ret_header)
{
	uint32_t at;

	len = MIN(len, (size_t)MULTIBOOT_SEARCH);
	for (at = 0; at + HEADER_LEN <= len; at += 4) {
		const uint8_t *from = head + at;

		if (word(from, 0) != HEADER_MAGIC || word(from, 0) + word(from, 1) + word(from, 2))
			continue;
		*ret_header = (struct multiboot_header){.at = at, .flags = word(from, 1)};
		return true;
	}
	return false;
}

bool multiboot2_find(const uint8_t *head, size_t len)
{
	size_t at;

	for (at = 0; at + HEADER2_LEN <= len; at += 8) {
		const uint8_t *from = head + at;

		if (word(from, 0) == HEADER2_MAGIC &&
			!(word(from, 0) + word(from, 1) + word(from, 2) + word(from, 3)))
			return true;
	}
	return false;
}

static int check_demands(const struct image *image, uint32_t flags, struct error *error)
{
	uint32_t unknown = flags & DEMANDS & ~(WANTS_PAGE_ALIGN | WANTS_MEMORY | WANTS_VIDEO);

	if (flags & WANTS_VIDEO) {
		return bad(image, error,
			"its multiboot header wants a video mode (flag 2), and lodge has no display");
	}
	if (unknown) {
		return error_set(error, ERROR_IMAGE, -ENOEXEC,
			"%s: its multiboot header wants what lodge does not know (flags 0x%" PRIx32 ")",
			image->name, unknown);
	}
	return 0;
}

/* The "a.out kludge": the header tells where it lies itself, and by that where the rest goes. */
static int place_by_addresses(const struct image *image, const struct multiboot_header *header,
	struct kernel *kernel, struct error *error)
{
	struct segment *segment = &kernel->segments.at[0];
	uint32_t header_addr, load, load_end, bss_end;
	uint8_t raw[5 * sizeof(uint32_t)];
	int err = image_read(image, header->at + HEADER_LEN, raw, sizeof(raw), "the multiboot header", error);

	if (err)
		return err;
	header_addr = word(raw, 0);
	load = word(raw, 1);
	load_end = word(raw, 2);
	bss_end = word(raw, 3);
	kernel->entry = word(raw, 4);
	if (load > header_addr || header_addr - load > header->at) {
		return error_set(error, ERROR_IMAGE, -ENOEXEC,
			"%s: its multiboot header, at byte %" PRIu32 ", cannot lie at 0x%" PRIx32
			" when loading begins at 0x%" PRIx32,
			image->name, header->at, header_addr, load);
	}
	if ((load_end && load_end <= load) || (bss_end && bss_end <= load))
		return bad(image, error, "its multiboot header has the kernel end before it begins");
	segment->paddr = load;
	segment->offset = header->at - (header_addr - load);
	segment->filesz = load_end ? load_end - load : image->size - segment->offset;
	segment->memsz = bss_end ? bss_end - load : segment->filesz;
	kernel->segments.one = "the kernel";
	kernel->segments.count = 1;
	err = segments_check(&kernel->segments, image, BOOT_LOW_BASE, error);
	if (!err && !segments_at(&kernel->segments, kernel->entry)) {
		return error_set(error, ERROR_IMAGE, -ENOEXEC,
			"%s: the entry point 0x%" PRIx64 " lies outside the kernel", image->name,
			kernel->entry);
	}
	return err;
}

int multiboot_probe(const struct image *image, const struct multiboot_header *header,
	const struct elf_kernel *elf, struct kernel *kernel, struct error *error)
{
	int err = check_demands(image, header->flags, error);

	if (err)
		return err;
	kernel->protocol = PROTOCOL_MULTIBOOT;
	/* The addresses go before those of any other header ("The address fields of Multiboot header"). */
	if (header->flags & HAS_ADDRESSES) {
		kernel->format = "multiboot, by the addresses in its header";
		return place_by_addresses(image, header, kernel, error);
	}
	if (!elf) {
		return bad(image, error,
			"a multiboot header in a file that is no ELF file, and without addresses (flag 16)");
	}
	kernel->format = elf->bits == 64 ? "ELF64 with a multiboot header" : "ELF32 with a multiboot header";
	kernel->segments = elf->segments;
	return elf_entry(elf, image, &kernel->entry, error);
}
