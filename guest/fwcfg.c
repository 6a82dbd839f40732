#include "fwcfg.h"

#include <stdbool.h>
#include <stdint.h>

#include "str.h"
#include "x86.h"

#define PORT_SELECT   0x510
#define PORT_DATA     0x511
#define KEY_SIGNATURE 0x0000
#define KEY_CPUS      0x0005
#define KEY_DIRECTORY 0x0019
#define FILES_MAX     128
#define FDT_MAX       65536

struct fwcfg_file {
	uint32_t size; /* big-endian, as the next */
	uint16_t key;
	uint16_t reserved;
	char name[56];
};

static uint8_t tree[FDT_MAX] __attribute__((aligned(8)));

static void fwcfg_read(uint16_t key, void *buf, size_t len)
{
	outw(PORT_SELECT, key);
	insb(PORT_DATA, buf, len);
}

static bool fwcfg_present(void)
{
	char signature[4];

	fwcfg_read(KEY_SIGNATURE, signature, sizeof(signature));
	return memcmp(signature, "QEMU", sizeof(signature)) == 0;
}

unsigned fwcfg_read_cpus(void)
{
	uint16_t count = 0;

	if (fwcfg_present())
		fwcfg_read(KEY_CPUS, &count, sizeof(count));
	return count;
}

const void *fwcfg_read_fdt(void)
{
	uint32_t count = 0;
	struct fwcfg_file file = {0};

	if (!fwcfg_present())
		return NULL;
	fwcfg_read(KEY_DIRECTORY, &count, sizeof(count));
	count = __builtin_bswap32(count);
	for (uint32_t i = 0; i < count && i < FILES_MAX; i++) {
		insb(PORT_DATA, &file, sizeof(file));
		if (strncmp(file.name, "etc/fdt", sizeof(file.name)) != 0)
			continue;
		uint32_t size = __builtin_bswap32(file.size);

		/* QEMU offers its whole buffer: what does not fit is padding, or we cannot read it. */
		if (size > FDT_MAX)
			size = FDT_MAX;
		fwcfg_read(__builtin_bswap16(file.key), tree, size);
		return tree;
	}
	return NULL;
}
