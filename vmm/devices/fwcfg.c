#include "devices/fwcfg.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "util/bytes.h"

enum {
	SELECTOR = 0,
	DATA = 1,
};

#define ID_TRADITIONAL 0x1 /* the two ports; bit 1 would be the DMA interface */

/* An entry of the directory; its numbers are big-endian. */
struct entry {
	uint32_t size;
	uint16_t key;
	uint16_t reserved;
	char name[FWCFG_NAME_MAX];
};

static_assert(sizeof(struct entry) == 64, "as in the specification");
static_assert(
	FWCFG_DIRECTORY_SIZE == 4 + FWCFG_FILES_MAX * sizeof(struct entry), "the directory holds all files");

/* Byte n of a number; zeroes follow its last one. */
static uint8_t byte_of(uint64_t number, uint32_t n)
{
	return n < sizeof(number) ? (uint8_t)(number >> (8 * n)) : 0;
}

static uint8_t byte_at(const struct fwcfg *fwcfg, uint16_t key, uint32_t n)
{
	static const char signature[4] = {'Q', 'E', 'M', 'U'};

	switch (key) {
	case FWCFG_SIGNATURE:
		return n < sizeof(signature) ? (uint8_t)signature[n] : 0;
	case FWCFG_ID:
		return byte_of(ID_TRADITIONAL, n);
	case FWCFG_RAM_SIZE:
		return byte_of(fwcfg->config.ram_size, n);
	case FWCFG_CPUS:
	case FWCFG_CPUS_MAX:
		return byte_of(fwcfg->config.cpus, n);
	case FWCFG_DIRECTORY:
		return n < sizeof(fwcfg->directory) ? fwcfg->directory[n] : 0;
	default:
		break;
	}
	if (key >= FWCFG_FIRST_FILE && key - FWCFG_FIRST_FILE < (int)fwcfg->file_count) {
		const struct fwcfg_file *file = &fwcfg->files[key - FWCFG_FIRST_FILE];

		return n < file->size ? file->bytes[n] : 0;
	}
	return 0;
}

static uint64_t fwcfg_read(void *dev, uint64_t offset, unsigned size)
{
	struct fwcfg *fwcfg = dev;
	uint8_t byte;

	if (offset != DATA || size != 1)
		return UINT64_MAX; /* the selector is write-only */
	pthread_mutex_lock(&fwcfg->lock);
	byte = byte_at(fwcfg, fwcfg->state.key, fwcfg->state.offset);
	/* It stays beyond every item's end; a wrap would begin the item anew. */
	if (fwcfg->state.offset < UINT32_MAX)
		fwcfg->state.offset++;
	pthread_mutex_unlock(&fwcfg->lock);
	return byte;
}

/*
 * Bit 14 of the key asks for writing, which is long gone from the specification: data that is written is ignored. It
 * is no part of the item's number.
 */
#define KEY_WRITE 0x4000

static void fwcfg_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct fwcfg *fwcfg = dev;

	if (offset != SELECTOR || size != 2)
		return;
	pthread_mutex_lock(&fwcfg->lock);
	fwcfg->state = (struct fwcfg_state){.key = (uint16_t)value & (uint16_t)~KEY_WRITE};
	pthread_mutex_unlock(&fwcfg->lock);
}

const struct bus_ops fwcfg_ops = {
	.read = fwcfg_read,
	.write = fwcfg_write,
	.sizes = 1 | 2,
};

int fwcfg_add_file(struct fwcfg *fwcfg, const char *name, const void *bytes, uint32_t size)
{
	struct entry entry = {.size = htobe32(size)};
	uint32_t count;
	unsigned i;

	if (!*name || strlen(name) >= sizeof(entry.name))
		return -EINVAL;
	for (i = 0; i < fwcfg->file_count; i++) {
		struct entry other;

		memcpy(&other, fwcfg->directory + sizeof(count) + i * sizeof(other), sizeof(other));
		if (!strcmp(other.name, name))
			return -EEXIST;
	}
	if (fwcfg->file_count == FWCFG_FILES_MAX)
		return -ENOSPC;
	entry.key = htobe16((uint16_t)(FWCFG_FIRST_FILE + i));
	memcpy(entry.name, name, strlen(name) + 1);
	memcpy(fwcfg->directory + sizeof(count) + i * sizeof(entry), &entry, sizeof(entry));
	fwcfg->files[i] = (struct fwcfg_file){.bytes = bytes, .size = size};
	count = htobe32(++fwcfg->file_count);
	memcpy(fwcfg->directory, &count, sizeof(count));
	return 0;
}

void fwcfg_init(struct fwcfg *fwcfg, const struct fwcfg_config *config)
{
	*fwcfg = (struct fwcfg){.config = *config, .lock = PTHREAD_MUTEX_INITIALIZER};
}

void fwcfg_fini(struct fwcfg *fwcfg)
{
	pthread_mutex_destroy(&fwcfg->lock);
}
