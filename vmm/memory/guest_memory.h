/*
 * Guest memory: a few regions of host memory, and the one overflow-checked door from a guest-physical
 * address to a host pointer. Nothing else in lodge turns the one into the other.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

typedef uint64_t gpa_t; /* guest-physical address */

#define GUEST_REGIONS_MAX 4

struct guest_region {
	gpa_t gpa;
	uint64_t size;
	uint8_t *hva;  /* at a multiple of 2 MiB, if it is as large as that */
	uint64_t page; /* bytes; 2 MiB for huge pages */
};

/* Filled before the vCPUs run and constant from then on, so that every thread may use it unlocked. */
struct guest_memory {
	struct guest_region regions[GUEST_REGIONS_MAX];
	unsigned count;
	struct guest_region rom; /* bytes that only guest_memory_read() reaches; size 0: none */
};

/*
 * Reserves size bytes (a multiple of the page size) of zeroed memory at gpa; no page is touched.
 * -EINVAL: empty, unaligned, wraps or overlaps a region; -ENOSPC: too many regions; -ENOMEM.
 */
int guest_memory_add(struct guest_memory *mem, gpa_t gpa, uint64_t size);

/*
 * The same in huge pages of 2 MiB, of which gpa and size are multiples. The host sets such pages aside (huge_pages.h),
 * and all are taken at once: a guest never finds later that there are too few. -ENOMEM: there are.
 */
int guest_memory_add_huge(struct guest_memory *mem, gpa_t gpa, uint64_t size);

/* The same for a ROM, of which there is one, where no region is: mem->rom.hva is where its maker writes its bytes. */
int guest_memory_add_rom(struct guest_memory *mem, gpa_t gpa, uint64_t size);

/* Unmaps all regions. */
void guest_memory_fini(struct guest_memory *mem);

/*
 * The door. Returns the host address of [gpa, gpa+len), or NULL unless all of it, at least one byte, lies
 * in one region. The guest may change the bytes at any time: copy first, then judge.
 */
void *guest_memory_at(const struct guest_memory *mem, gpa_t gpa, uint64_t len);

/* Copies out of guest memory or the ROM, or into guest memory: 0, or -EFAULT and nothing copied. len may be 0. */
int guest_memory_read(const struct guest_memory *mem, gpa_t gpa, void *to, size_t len);
int guest_memory_write(const struct guest_memory *mem, gpa_t gpa, const void *from, size_t len);

/*
 * Has KVM forget its own mappings of the page, small or huge, that holds gpa, so that the guest's next access is looked up anew. No
 * byte changes, and none is out of reach meanwhile. 0, -EFAULT where no memory is, or mprotect()'s error.
 */
int guest_memory_flush_page(const struct guest_memory *mem, gpa_t gpa);

/* The sum of all regions, in bytes. */
uint64_t guest_memory_size(const struct guest_memory *mem);
