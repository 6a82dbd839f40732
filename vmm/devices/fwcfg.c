#include "devices/fwcfg.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "util/bytes.h"

enum {
	SELECTOR = 0,
	DATA = 1,
	DMA = 4, /* and the seven bytes behind it */
	DMA_LOW = 8,
};

static const struct fwcfg_item *find(const struct fwcfg *fwcfg, uint16_t key)
{
	unsigned i;

	for (i = 0; i < fwcfg->item_count; i++)
		if (fwcfg->items[i].key == key)
			return &fwcfg->items[i];
	return NULL;
}

/*
 * FW_CFG_WRITE_CHANNEL asks for writing, which is long gone from the specification: data that is written is ignored. It is no
 * part of the item's number.
 */
static void select_item(struct fwcfg *fwcfg, uint16_t key)
{
	const struct fwcfg_item *item;

	fwcfg->state.key = key & (uint16_t)~FW_CFG_WRITE_CHANNEL;
	fwcfg->state.offset = 0;
	item = find(fwcfg, fwcfg->state.key);
	if (item && item->selected)
		item->selected(item->ctx);
}

/* Reads on in the selected item; zeroes follow its end. Without `to` the bytes are skipped. */
static void read_on(struct fwcfg *fwcfg, void *to, uint32_t len)
{
	const struct fwcfg_item *item = find(fwcfg, fwcfg->state.key);
	uint32_t offset = fwcfg->state.offset, count = 0;

	if (to && item && offset < item->size) {
		const uint8_t *bytes = item->bytes ? item->bytes : (const uint8_t *)&item->number;

		count = MIN(len, item->size - offset);
		memcpy(to, bytes + offset, count);
	}
	if (to)
		memset((uint8_t *)to + count, 0, len - count);
	/* It stays beyond every item's end; a wrap would begin the item anew. */
	fwcfg->state.offset = len < UINT32_MAX - offset ? offset + len : UINT32_MAX;
}

/*
 * What the access tells of itself may be overwritten by what it reads: it is copied first. No item can be written, and
 * what cannot be read goes nowhere.
 */
static void dma(struct fwcfg *fwcfg, uint64_t gpa)
{
	const struct fwcfg_config *config = &fwcfg->config;
	void *at = config->memory_at(config->memory_ctx, gpa, sizeof(struct fw_cfg_dma_access)), *to = NULL;
	struct fw_cfg_dma_access access;
	uint32_t control, len, error = 0;

	if (!at)
		return;
	memcpy(&access, at, sizeof(access));
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	control = be32toh(access.control);
	len = be32toh(access.length);
	if (control & FW_CFG_DMA_CTL_SELECT)
		select_item(fwcfg, (uint16_t)(control >> 16));
	if (control & FW_CFG_DMA_CTL_READ && len)
		to = config->memory_at(config->memory_ctx, be64toh(access.address), len);
	if ((control & FW_CFG_DMA_CTL_READ) ? len && !to : control & FW_CFG_DMA_CTL_WRITE)
		error = htobe32(FW_CFG_DMA_CTL_ERROR);
	else if (control & (FW_CFG_DMA_CTL_READ | FW_CFG_DMA_CTL_SKIP))
		read_on(fwcfg, to, len);
	memcpy(at, &error, sizeof(error));
}

static uint64_t fwcfg_read(void *dev, uint64_t offset, unsigned size)
{
	static const uint8_t dma_signature[8] = {'Q', 'E', 'M', 'U', ' ', 'C', 'F', 'G'};
	struct fwcfg *fwcfg = dev;
	uint8_t byte;

	if (offset >= DMA && range_inside(offset - DMA, size, 0, sizeof(dma_signature)))
		return load_le(dma_signature + (offset - DMA), size);
	if (offset != DATA || size != 1)
		return UINT64_MAX; /* the selector is write-only */
	pthread_mutex_lock(&fwcfg->lock);
	read_on(fwcfg, &byte, 1);
	pthread_mutex_unlock(&fwcfg->lock);
	return byte;
}

static void fwcfg_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct fwcfg *fwcfg = dev;

	pthread_mutex_lock(&fwcfg->lock);
	if (offset == SELECTOR && size == 2) {
		select_item(fwcfg, (uint16_t)value);
	} else if (offset == DMA && size == 4) {
		fwcfg->state.dma_high = be32toh((uint32_t)value);
	} else if (offset == DMA_LOW && size == 4) {
		uint64_t gpa = (uint64_t)fwcfg->state.dma_high << 32 | be32toh((uint32_t)value);

		fwcfg->state.dma_high = 0;
		dma(fwcfg, gpa);
	}
	pthread_mutex_unlock(&fwcfg->lock);
}

const struct bus_ops fwcfg_ops = {
	.read = fwcfg_read,
	.write = fwcfg_write,
	.sizes = 1 | 2 | 4,
};

static int add(struct fwcfg *fwcfg, const struct fwcfg_item *item)
{
	if (fwcfg->item_count == FWCFG_ITEMS_MAX)
		return -ENOSPC;
	fwcfg->items[fwcfg->item_count++] = *item;
	return 0;
}

int fwcfg_add_bytes(struct fwcfg *fwcfg, uint16_t key, const void *bytes, uint32_t size)
{
	const struct fwcfg_item item = {.key = key, .bytes = bytes, .size = size};

	return add(fwcfg, &item);
}

int fwcfg_add_number(struct fwcfg *fwcfg, uint16_t key, uint64_t number, uint32_t size)
{
	const struct fwcfg_item item = {.key = key, .number = number, .size = size};

	return add(fwcfg, &item);
}

static int add_file(struct fwcfg *fwcfg, const char *name, struct fwcfg_item *item)
{
	struct fw_cfg_file entry = {.size = htobe32(item->size)};
	uint32_t count;
	unsigned i;
	int err;

	if (!*name || strlen(name) >= sizeof(entry.name))
		return -EINVAL;
	for (i = 0; i < fwcfg->file_count; i++) {
		struct fw_cfg_file other;

		memcpy(&other, fwcfg->directory + sizeof(count) + i * sizeof(other), sizeof(other));
		if (!strcmp(other.name, name))
			return -EEXIST;
	}
	if (fwcfg->file_count == FWCFG_FILES_MAX)
		return -ENOSPC;
	item->key = (uint16_t)(FW_CFG_FILE_FIRST + i);
	err = add(fwcfg, item);
	if (err)
		return err;
	entry.select = htobe16(item->key);
	memcpy(entry.name, name, strlen(name) + 1);
	memcpy(fwcfg->directory + sizeof(count) + i * sizeof(entry), &entry, sizeof(entry));
	count = htobe32(++fwcfg->file_count);
	memcpy(fwcfg->directory, &count, sizeof(count));
	return 0;
}

int fwcfg_add_file(struct fwcfg *fwcfg, const char *name, const void *bytes, uint32_t size)
{
	struct fwcfg_item item = {.bytes = bytes, .size = size};

	return add_file(fwcfg, name, &item);
}

int fwcfg_add_signal(struct fwcfg *fwcfg, const char *name, void (*selected)(void *ctx), void *ctx)
{
	struct fwcfg_item item = {.selected = selected, .ctx = ctx};

	return add_file(fwcfg, name, &item);
}

void fwcfg_init(struct fwcfg *fwcfg, const struct fwcfg_config *config)
{
	*fwcfg = (struct fwcfg){.config = *config, .lock = PTHREAD_MUTEX_INITIALIZER};
	fwcfg_add_bytes(fwcfg, FW_CFG_SIGNATURE, "QEMU", 4);
	fwcfg_add_number(fwcfg, FW_CFG_ID, FW_CFG_VERSION | FW_CFG_VERSION_DMA, 4);
	fwcfg_add_number(fwcfg, FW_CFG_RAM_SIZE, config->ram_size, 8);
	fwcfg_add_number(fwcfg, FW_CFG_NB_CPUS, config->cpus, 2);
	fwcfg_add_number(fwcfg, FW_CFG_MAX_CPUS, config->cpus, 2);
	fwcfg_add_bytes(fwcfg, FW_CFG_FILE_DIR, fwcfg->directory, sizeof(fwcfg->directory));
}

void fwcfg_fini(struct fwcfg *fwcfg)
{
	pthread_mutex_destroy(&fwcfg->lock);
}
