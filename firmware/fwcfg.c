#include "fwcfg.h"

#include "ports.h"
#include "print.h"

#define PORT_SELECT   0x510
#define PORT_DATA     0x511
#define PORT_DMA_LOW  0x518 /* the upper half of the address is 0 unless it is written */
#define KEY_ID        0x01
#define KEY_DIRECTORY 0x19
#define ID_DMA        0x02

#define DMA_ERROR  0x01
#define DMA_READ   0x02
#define DMA_SKIP   0x04
#define DMA_SELECT 0x08

/* All big-endian. */
struct dma_access {
	uint32_t control;
	uint32_t length;
	uint64_t address;
};

struct entry {
	uint32_t size;
	uint16_t key;
	uint16_t reserved;
	char name[56];
};

static void dma(uint32_t control, uint32_t address, uint32_t len)
{
	volatile struct dma_access access = {
		.control = __builtin_bswap32(control),
		.length = __builtin_bswap32(len),
		.address = __builtin_bswap64(address),
	};

	outl(PORT_DMA_LOW, __builtin_bswap32((uint32_t)&access));
	/* It is done when the port has been written; QEMU's specification would let it take longer. */
	while (access.control & ~__builtin_bswap32(DMA_ERROR))
		;
	if (access.control)
		fail("fw_cfg: DMA failed");
}

bool fwcfg_present(void)
{
	static const char signature[4] = {'Q', 'E', 'M', 'U'};
	unsigned i;

	outw(PORT_SELECT, 0);
	for (i = 0; i < sizeof(signature); i++)
		if (inb(PORT_DATA) != (uint8_t)signature[i])
			return false;
	outw(PORT_SELECT, KEY_ID);
	return inb(PORT_DATA) & ID_DMA;
}

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

struct fwcfg_file fwcfg_find(const char *name)
{
	struct entry entry = {0};
	uint32_t count = 0;

	dma(DMA_SELECT | DMA_READ | KEY_DIRECTORY << 16, (uint32_t)&count, sizeof(count));
	for (count = __builtin_bswap32(count); count; count--) {
		dma(DMA_READ, (uint32_t)&entry, sizeof(entry));
		entry.name[sizeof(entry.name) - 1] = '\0';
		if (same(entry.name, name))
			return (struct fwcfg_file){
				__builtin_bswap32(entry.size), __builtin_bswap16(entry.key)};
	}
	return (struct fwcfg_file){0, 0};
}

void fwcfg_select(struct fwcfg_file file)
{
	outw(PORT_SELECT, file.key);
}

void fwcfg_read(struct fwcfg_file file, uint32_t offset, void *to, uint32_t len)
{
	dma(DMA_SELECT | DMA_SKIP | (uint32_t)file.key << 16, 0, offset);
	dma(DMA_READ, (uint32_t)to, len);
}
