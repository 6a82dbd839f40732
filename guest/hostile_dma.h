/* Reads that land where the attack likes. */
#pragma once

/* Writes a sector to the disk, for dma_launch() to read: NULL, or what went wrong. */
const char *dma_prepare(const void *bytes);
const char *dma_prepare_ones(void);

/* Has the device read that sector to this place, and waits for nothing. */
void dma_launch(volatile void *to);
