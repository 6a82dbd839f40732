/* fw_cfg by DMA (QEMU, docs/specs/fw_cfg.rst): one access to the port an item, however long that is. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct fwcfg_file {
	uint32_t size;
	uint16_t key; /* 0: there is no such file */
};

bool fwcfg_present(void); /* ... and does DMA */

struct fwcfg_file fwcfg_find(const char *name);

void fwcfg_select(struct fwcfg_file file);

/* Copies len bytes of a file, from offset on, to memory; what it has not are zeroes. It fails loudly. */
void fwcfg_read(struct fwcfg_file file, uint32_t offset, void *to, uint32_t len);
