#include "loader/segments.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "loader/image.h"
#include "memory/guest_memory.h"
#include "util/bytes.h"
#include "util/error.h"
#include "x86/layout.h"

struct label {
	char text[32];
};

static struct label label(const struct segments *segments, unsigned index)
{
	struct label label;

	if (segments->one)
		snprintf(label.text, sizeof(label.text), "%s", segments->one);
	else
		snprintf(label.text, sizeof(label.text), "segment %u", segments->at[index].number);
	return label;
}

static bool in_boot_data(const struct segment *segment, uint64_t lowest)
{
	if (segment->paddr >= RAM_HIGH)
		return false;
	return lowest >= RAM_HIGH ||
	       !range_inside(segment->paddr, segment->memsz, lowest, BOOT_LOW_END - lowest);
}

static int check_one(const struct segments *segments, unsigned index, const struct image *image,
	uint64_t lowest, struct error *error)
{
	const struct segment *segment = &segments->at[index];

	if (segment->filesz > segment->memsz) {
		return error_set(error, ERROR_IMAGE, -ENOEXEC, "%s: %s is larger in the file than in memory",
			image->name, label(segments, index).text);
	}
	if (!range_inside(segment->offset, segment->filesz, 0, image->size)) {
		return error_set(error, ERROR_IMAGE, -EIO,
			"%s: truncated: %s should end at byte %" PRIu64 ", but the file has %" PRIu64,
			image->name, label(segments, index).text, segment->offset + segment->filesz,
			image->size);
	}
	if (in_boot_data(segment, lowest)) {
		return error_set(error, ERROR_IMAGE, -ENOEXEC,
			"%s: %s lies at 0x%" PRIx64
			", below 1 MiB, where the boot data is; link the kernel higher",
			image->name, label(segments, index).text, segment->paddr);
	}
	/* So that no sum of the two wraps, here and for all who come later. */
	if (segment->memsz > UINT64_MAX - segment->paddr) {
		return error_set(error, ERROR_IMAGE, -ENOEXEC,
			"%s: %s (0x%" PRIx64 " bytes at 0x%" PRIx64
			") lies outside guest memory, whatever its size",
			image->name, label(segments, index).text, segment->memsz, segment->paddr);
	}
	return 0;
}

int segments_check(
	const struct segments *segments, const struct image *image, uint64_t lowest, struct error *error)
{
	unsigned i, other;

	for (i = 0; i < segments->count; i++) {
		const struct segment *segment = &segments->at[i];
		int err = check_one(segments, i, image, lowest, error);

		if (err)
			return err;
		for (other = 0; other < i; other++) {
			const struct segment *before = &segments->at[other];

			if (ranges_overlap(segment->paddr, segment->memsz, before->paddr, before->memsz)) {
				return error_set(error, ERROR_IMAGE, -ENOEXEC,
					"%s: segments %u and %u overlap in memory", image->name,
					before->number, segment->number);
			}
		}
	}
	return 0;
}

int segments_load(const struct segments *segments, const struct image *image, const struct guest_memory *mem,
	struct error *error)
{
	unsigned i;
	int err = 0;

	for (i = 0; !err && i < segments->count; i++) {
		const struct segment *segment = &segments->at[i];
		void *hva = guest_memory_at(mem, segment->paddr, segment->memsz);

		if (!hva) {
			return error_set(error, ERROR_IMAGE, -ENOEXEC,
				"%s: %s (0x%" PRIx64 " bytes at 0x%" PRIx64
				") lies outside guest memory; give it more with -m",
				image->name, label(segments, i).text, segment->memsz, segment->paddr);
		}
		err = image_read(image, segment->offset, hva, segment->filesz, "a segment", error);
	}
	return err;
}

const struct segment *segments_at(const struct segments *segments, uint64_t paddr)
{
	unsigned i;

	for (i = 0; i < segments->count; i++) {
		const struct segment *segment = &segments->at[i];

		if (paddr >= segment->paddr && paddr - segment->paddr < segment->memsz)
			return segment;
	}
	return NULL;
}

uint64_t segments_end(const struct segments *segments)
{
	uint64_t end = 0;
	unsigned i;

	for (i = 0; i < segments->count; i++) {
		const struct segment *segment = &segments->at[i];

		if (segment->paddr < HOLE_BASE)
			end = MAX(end, segment->paddr + segment->memsz);
	}
	return end;
}
