/*
 * fw_cfg (QEMU, docs/specs/fw_cfg.rst): numbered items of bytes, some of them named files, that a guest or its
 * firmware reads: a byte at a time through an index port and a data port, or whole by DMA.
 *
 * One range of FWCFG_SIZE bytes. The two ports overlap: the selector is a 16-bit write at offset 0, the data port a
 * byte at offset 1. At offset 4 is the DMA address, two big-endian halves; the write of the second one starts the DMA.
 * linux/qemu_fw_cfg.h has the keys.
 */
#pragma once

#include <linux/qemu_fw_cfg.h>
#include <pthread.h>
#include <stdint.h>

#include "bus/bus.h"

#define FWCFG_FILES_MAX      16
#define FWCFG_ITEMS_MAX      (FWCFG_FILES_MAX + 24)
#define FWCFG_DIRECTORY_SIZE (4 + FWCFG_FILES_MAX * sizeof(struct fw_cfg_file))

struct fwcfg_config {
	uint64_t ram_size;
	uint16_t cpus;
	/* The door to guest memory, for DMA: len bytes at gpa, or NULL unless all are there. */
	void *(*memory_at)(const void *ctx, uint64_t gpa, uint64_t len);
	const void *memory_ctx;
};

/* Constant once the vCPUs run. */
struct fwcfg_item {
	uint16_t key;
	uint32_t size;
	const void *bytes; /* NULL: the number's */
	uint64_t number;
	void (*selected)(void *ctx); /* NULL: nobody wants to know */
	void *ctx;
};

struct fwcfg_state {
	uint16_t key;
	uint32_t offset; /* of the next byte; it stays at UINT32_MAX */
	uint32_t dma_high;
};

struct fwcfg {
	struct fwcfg_config config;
	struct fwcfg_item items[FWCFG_ITEMS_MAX];
	unsigned item_count;
	unsigned file_count;
	uint8_t directory[FWCFG_DIRECTORY_SIZE]; /* as the guest reads it */
	pthread_mutex_t lock;                    /* guards state; innermost */
	struct fwcfg_state state;
};

extern const struct bus_ops fwcfg_ops; /* dev: a struct fwcfg */

void fwcfg_init(struct fwcfg *fwcfg, const struct fwcfg_config *config);
void fwcfg_fini(struct fwcfg *fwcfg);

/*
 * All of these before the vCPUs run. Bytes stay the caller's and are read until the end. -ENOSPC: too many items.
 *
 * Items that are no files: each key once. A number has `size` bytes and is little-endian.
 */
int fwcfg_add_bytes(struct fwcfg *fwcfg, uint16_t key, const void *bytes, uint32_t size);
int fwcfg_add_number(struct fwcfg *fwcfg, uint16_t key, uint64_t number, uint32_t size);

/* A file. -EINVAL: an empty or overlong name; -EEXIST: the name is there; -ENOSPC: too many files, too. */
int fwcfg_add_file(struct fwcfg *fwcfg, const char *name, const void *bytes, uint32_t size);

/* An empty file that calls back, on the vCPU's thread and under the lock, each time the guest selects it. */
int fwcfg_add_signal(struct fwcfg *fwcfg, const char *name, void (*selected)(void *ctx), void *ctx);
