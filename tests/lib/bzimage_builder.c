#include "lib/bzimage_builder.h"

#include <string.h>

static void put(uint8_t *file, unsigned offset, uint64_t value, unsigned size)
{
	memcpy(file + offset, &value, size);
}

size_t bzimage_build(const void *code, size_t len, void *out, size_t size)
{
	size_t paragraphs = (BZIMAGE_ENTRY + len + 15) / 16, total = BZIMAGE_SETUP + paragraphs * 16;
	uint8_t *file = out;

	if (total > size)
		return 0;
	memset(file, 0, total);
	memset(file, 0xcc, 0x1f1);               /* the boot sector's code: none of our business */
	put(file, 0x1f1, 1, 1);                  /* setup_sects */
	put(file, 0x1f4, paragraphs, 4);         /* syssize */
	put(file, 0x1fa, 0xffff, 2);             /* vid_mode: as the loader likes */
	put(file, 0x1fe, 0xaa55, 2);             /* boot_flag */
	put(file, 0x200, 0xeb, 1);               /* a jump over the header ... */
	put(file, 0x201, BZIMAGE_LENGTH - 2, 1); /* ... from 0x202 on */
	memcpy(file + 0x202, "HdrS", 4);         /* header */
	put(file, 0x206, 0x20f, 2);              /* version */
	put(file, 0x211, 0x01, 1);               /* loadflags: LOADED_HIGH */
	put(file, 0x214, 0x100000, 4);           /* code32_start */
	put(file, 0x22c, 0x7fffffff, 4);         /* initrd_addr_max */
	put(file, 0x230, 0x200000, 4);           /* kernel_alignment */
	put(file, 0x234, 1, 1);                  /* relocatable_kernel */
	put(file, 0x235, 21, 1);                 /* min_alignment */
	put(file, 0x236, 0x0001, 2);             /* xloadflags: XLF_KERNEL_64 */
	put(file, 0x238, 2047, 4);               /* cmdline_size */
	put(file, 0x258, BZIMAGE_PREF, 8);       /* pref_address */
	put(file, 0x260, BZIMAGE_INIT, 4);       /* init_size */
	put(file, 0x268, 0xdeadbeef, 4);         /* kernel_info_offset: to be handed back as it is */
	memcpy(file + BZIMAGE_SETUP + BZIMAGE_ENTRY, code, len);
	return total;
}
