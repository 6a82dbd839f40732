/* A firmware's ROM: 64 KiB, or two to four times as much, whose last bytes are a CPU's first instructions. */
#pragma once

#include <stdint.h>

struct error;
struct guest_memory;
struct image;

/*
 * Judges a ROM by its size: a multiple of ROM_GRANULE, up to ROM_MAX. 0, or -errno and *error (ERROR_IMAGE).
 */
int rom_check(const struct image *image, struct error *error);

/*
 * Copies a checked ROM to `hva`, its place below 4 GiB, and its last part, up to ROM_LOW_MAX, to below 1 MiB of guest
 * memory. 0, or -errno and *error (ERROR_IMAGE).
 */
int rom_load(const struct image *image, void *hva, const struct guest_memory *mem, struct error *error);
