#include "loader/rom.h"

#include <errno.h>
#include <inttypes.h>

#include "loader/image.h"
#include "memory/guest_memory.h"
#include "util/bytes.h"
#include "util/error.h"
#include "x86/layout.h"

int rom_check(const struct image *image, struct error *error)
{
	/* Of another size, others' bytes would be where the CPU begins. */
	if (!image->size || image->size % ROM_GRANULE || image->size > ROM_MAX) {
		return error_set(error, ERROR_IMAGE, -ENOEXEC,
			"%s: not a ROM: it has %" PRIu64
			" bytes; lodge takes a multiple of 64 KiB, up to 256 KiB",
			image->name, image->size);
	}
	return 0;
}

int rom_load(const struct image *image, void *hva, const struct guest_memory *mem, struct error *error)
{
	uint64_t low = MIN(image->size, ROM_LOW_MAX);
	int err = image_read(image, 0, hva, image->size, "the ROM", error);

	if (!err)
		guest_memory_write(mem, RAM_HIGH - low, (const uint8_t *)hva + image->size - low, low);
	return err;
}
