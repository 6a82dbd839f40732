/*
 * fw_cfg (QEMU, docs/specs/fw_cfg.rst): named items of bytes that a guest or its firmware reads, an index port and
 * a data port. The DMA interface is left out, and the id item says so.
 *
 * One range of two bytes, in which the two ports overlap: the selector is a 16-bit write at offset 0, the data port
 * a byte at offset 1.
 */
#pragma once

#include <pthread.h>
#include <stdint.h>

#include "bus/bus.h"

#define FWCFG_FILES_MAX      16
#define FWCFG_NAME_MAX       56 /* NUL included */
#define FWCFG_DIRECTORY_SIZE (4 + FWCFG_FILES_MAX * (8 + FWCFG_NAME_MAX))

enum fwcfg_key {
	FWCFG_SIGNATURE = 0x00,
	FWCFG_ID = 0x01,
	FWCFG_RAM_SIZE = 0x03, /* 64 bits, as all numbers little-endian but those of the directory */
	FWCFG_CPUS = 0x05,     /* 16 bits */
	FWCFG_CPUS_MAX = 0x0f, /* 16 bits */
	FWCFG_DIRECTORY = 0x19,
	FWCFG_FIRST_FILE = 0x20,
};

struct fwcfg_config {
	uint64_t ram_size;
	uint16_t cpus;
};

/* Constant once the vCPUs run. */
struct fwcfg_file {
	const uint8_t *bytes;
	uint32_t size;
};

struct fwcfg_state {
	uint16_t key;
	uint32_t offset; /* of the next byte; it stays at UINT32_MAX */
};

struct fwcfg {
	struct fwcfg_config config;
	struct fwcfg_file files[FWCFG_FILES_MAX]; /* key FWCFG_FIRST_FILE + n */
	unsigned file_count;
	uint8_t directory[FWCFG_DIRECTORY_SIZE]; /* as the guest reads it */
	pthread_mutex_t lock;                    /* guards state; innermost */
	struct fwcfg_state state;
};

extern const struct bus_ops fwcfg_ops; /* dev: a struct fwcfg */

void fwcfg_init(struct fwcfg *fwcfg, const struct fwcfg_config *config);
void fwcfg_fini(struct fwcfg *fwcfg);

/*
 * Adds a file, before the vCPUs run; its bytes stay the caller's and are read until the end. -EINVAL: an empty or
 * overlong name; -EEXIST: the name is there; -ENOSPC: too many files.
 */
int fwcfg_add_file(struct fwcfg *fwcfg, const char *name, const void *bytes, uint32_t size);
