/* The page tables: boot.S made them, this changes a few entries. */
#pragma once

#include <stdint.h>

/*
 * From now on a NULL pointer faults, and lodger's code cannot be written. Not before hw_discover():
 * a PVH loader may leave its lists in page 0 (QEMU's does).
 */
void map_protect(void);

/*
 * A pointer to this physical address, good up to the next multiple of 2 MiB and until the next call.
 * Below 4 GiB it is the identity map (page 0 is not mapped), above a page mapped on demand.
 */
void *map_window(uint64_t addr);
