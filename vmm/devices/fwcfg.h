/*
 * fw_cfg (QEMU, docs/specs/fw_cfg.rst): numbered items of bytes, some of them named files, that a guest or its
 * firmware reads: a byte at a time through an index port and a data port, or whole by DMA.
 *
 * One range of FWCFG_SIZE bytes. The two ports overlap: the selector is a 16-bit write at offset 0, the data port a
 * byte at offset 1. At offset 4 is the DMA address, two big-endian halves; the write of the second one starts the DMA.
 */
#pragma once

#include <pthread.h>
#include <stdint.h>

#include "bus/bus.h"

#define FWCFG_FILES_MAX      16
#define FWCFG_ITEMS_MAX      (FWCFG_FILES_MAX + 24)
#define FWCFG_NAME_MAX       56 /* NUL included */
#define FWCFG_DIRECTORY_SIZE (4 + FWCFG_FILES_MAX * (8 + FWCFG_NAME_MAX))

/* Numbers are little-endian, of 32 bits unless it says otherwise; those of the directory are big-endian. */
enum fwcfg_key {
	FWCFG_SIGNATURE = 0x00,
	FWCFG_ID = 0x01,
	FWCFG_RAM_SIZE = 0x03, /* 64 bits */
	FWCFG_CPUS = 0x05,     /* 16 bits */
	FWCFG_KERNEL_ADDR = 0x07,
	FWCFG_KERNEL_SIZE = 0x08,
	FWCFG_INITRD_ADDR = 0x0a,
	FWCFG_INITRD_SIZE = 0x0b,
	FWCFG_CPUS_MAX = 0x0f, /* 16 bits */
	FWCFG_KERNEL_ENTRY = 0x10,
	FWCFG_KERNEL_DATA = 0x11,
	FWCFG_INITRD_DATA = 0x12,
	FWCFG_CMDLINE_ADDR = 0x13,
	FWCFG_CMDLINE_SIZE = 0x14, /* NUL included */
	FWCFG_CMDLINE_DATA = 0x15,
	FWCFG_SETUP_ADDR = 0x16,
	FWCFG_SETUP_SIZE = 0x17,
	FWCFG_SETUP_DATA = 0x18,
	FWCFG_DIRECTORY = 0x19,
	FWCFG_FIRST_FILE = 0x20,
};

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
 * Items that are no files: each key once.
 */
int fwcfg_add_bytes(struct fwcfg *fwcfg, enum fwcfg_key key, const void *bytes, uint32_t size);
int fwcfg_add_number(struct fwcfg *fwcfg, enum fwcfg_key key, uint64_t number, uint32_t size);

/* A file. -EINVAL: an empty or overlong name; -EEXIST: the name is there; -ENOSPC: too many files, too. */
int fwcfg_add_file(struct fwcfg *fwcfg, const char *name, const void *bytes, uint32_t size);

/* An empty file that calls back, on the vCPU's thread and under the lock, each time the guest selects it. */
int fwcfg_add_signal(struct fwcfg *fwcfg, const char *name, void (*selected)(void *ctx), void *ctx);
