#include "loader/bzimage.h"

#include <asm/bootparam.h>
#include <errno.h>
#include <inttypes.h>

#include "loader/image.h"
#include "loader/kernel.h"
#include "util/bytes.h"
#include "util/error.h"
#include "x86/layout.h"

#define BOOT_FLAG      0xaa55
#define MAGIC_AT       0x202 /* "HdrS" */
#define JUMP_AT        0x201 /* how far the jump at 0x200 goes: over the header */
#define SECTOR         512
#define SECTS_DEFAULT  4     /* what a setup_sects of 0 means */
#define PARAGRAPH      16    /* the unit of syssize */
#define ENTRY_64       0x200 /* behind the start of the kernel */
#define VERSION_OLDEST 0x20c /* 2.12, which has xloadflags */

static_assert(offsetof(struct boot_params, hdr) == BOOT_HEADER_AT, "as in the file");
static_assert(sizeof(struct setup_header) <= BOOT_HEADER_MAX, "a whole header is kept");

/* Up to init_size all fields are needed; later versions have more of them. */
#define HEADER_LEN_MIN (offsetof(struct setup_header, init_size) + sizeof(uint32_t))

static int bad(const struct image *image, struct error *error, const char *why)
{
	return error_set(error, ERROR_IMAGE, -ENOEXEC, "%s: %s", image->name, why);
}

bool bzimage_is(const uint8_t *head, size_t len)
{
	return len >= MAGIC_AT + 4 && !memcmp(head + MAGIC_AT, "HdrS", 4);
}

static int check_version(const struct image *image, struct error *error)
{
	uint8_t bytes[2];
	unsigned version;
	int err = image_read(image, BOOT_HEADER_AT + offsetof(struct setup_header, version), bytes, 2,
		"the setup header", error);

	if (err)
		return err;
	version = (unsigned)load_le(bytes, 2);
	if (version < VERSION_OLDEST) {
		return error_set(error, ERROR_IMAGE, -ENOEXEC,
			"%s: a Linux kernel of boot protocol %u.%02u; lodge needs 2.12 (Linux 3.8) or later",
			image->name, version >> 8, version & 0xff);
	}
	return 0;
}

/* Its length is told by the jump over it, and it is copied whole: later versions add to its end. */
static int read_header(const struct image *image, struct boot_params_header *raw, struct setup_header *header,
	struct error *error)
{
	uint8_t jump;
	int err = image_read(image, JUMP_AT, &jump, sizeof(jump), "the setup header", error);

	if (err)
		return err;
	raw->len = MAGIC_AT + jump - BOOT_HEADER_AT;
	if (raw->len < HEADER_LEN_MIN || raw->len > BOOT_HEADER_MAX)
		return bad(image, error, "a bzImage whose setup header has an impossible length");
	err = image_read(image, BOOT_HEADER_AT, raw->bytes, raw->len, "the setup header", error);
	if (!err)
		memcpy(header, raw->bytes, MIN(raw->len, sizeof(*header)));
	return err;
}

static int check_header(const struct image *image, const struct setup_header *header, struct error *error)
{
	if (header->boot_flag != BOOT_FLAG)
		return bad(image, error, "a bzImage without the boot flag 0xaa55");
	if (!(header->loadflags & LOADED_HIGH))
		return bad(image, error, "a zImage, which is loaded low; lodge boots bzImages");
	if (!(header->xloadflags & XLF_KERNEL_64))
		return bad(image, error, "a 32-bit Linux kernel; lodge boots 64-bit ones");
	if (header->relocatable_kernel &&
		(!header->kernel_alignment || header->kernel_alignment & (header->kernel_alignment - 1))) {
		return error_set(error, ERROR_IMAGE, -ENOEXEC,
			"%s: a bzImage whose alignment, 0x%" PRIx32 ", is no power of two", image->name,
			header->kernel_alignment);
	}
	if (header->pref_address >= HOLE_BASE) {
		return error_set(error, ERROR_IMAGE, -ENOEXEC,
			"%s: a bzImage that wants to lie at 0x%" PRIx64 ", above all memory below 4 GiB",
			image->name, (uint64_t)header->pref_address);
	}
	return 0;
}

/*
 * Where the kernel runs in the end is the preferred address, aligned, or above ("init_size" in boot.rst): a
 * relocatable one that is put there needs the least memory.
 */
static uint64_t load_address(const struct setup_header *header)
{
	if (!header->relocatable_kernel)
		return header->pref_address;
	return align_up(MAX(header->pref_address, RAM_HIGH), header->kernel_alignment);
}

static int place(const struct image *image, const struct setup_header *header, struct segment *segment,
	struct error *error)
{
	uint64_t sects = header->setup_sects ? header->setup_sects : SECTS_DEFAULT;
	uint64_t offset = (sects + 1) * SECTOR, code = (uint64_t)header->syssize * PARAGRAPH;

	if (code <= ENTRY_64)
		return bad(image, error, "a bzImage with no kernel behind its setup code");
	if (!range_inside(offset, code, 0, image->size)) {
		return error_set(error, ERROR_IMAGE, -EIO,
			"%s: truncated: the kernel should end at byte %" PRIu64 ", but the file has %" PRIu64,
			image->name, offset + code, image->size);
	}
	if (header->init_size < code) {
		return error_set(error, ERROR_IMAGE, -ENOEXEC,
			"%s: a bzImage that needs less memory (0x%" PRIx32 ") than it has code (0x%" PRIx64
			")",
			image->name, header->init_size, code);
	}
	/* A signature may follow, and syssize may be rounded down: as much is loaded as there is room for. */
	*segment = (struct segment){
		.offset = offset,
		.filesz = MIN(image->size - offset, header->init_size),
		.memsz = header->init_size,
		.paddr = load_address(header),
	};
	return 0;
}

int bzimage_probe(const struct image *image, struct kernel *kernel, struct error *error)
{
	struct setup_header header = {0};
	int err = check_version(image, error);

	if (!err)
		err = read_header(image, &kernel->setup, &header, error);
	if (!err)
		err = check_header(image, &header, error);
	if (!err)
		err = place(image, &header, &kernel->segments.at[0], error);
	if (err)
		return err;
	kernel->protocol = PROTOCOL_LINUX64;
	kernel->format = "bzImage, 64-bit entry";
	kernel->segments.one = "the kernel";
	kernel->segments.count = 1;
	kernel->entry = kernel->segments.at[0].paddr + ENTRY_64;
	kernel->initrd_limit = (uint64_t)header.initrd_addr_max + 1;
	kernel->cmdline_max = header.cmdline_size;
	return segments_check(&kernel->segments, image, RAM_HIGH, error);
}
