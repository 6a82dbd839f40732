/* Page tables for kernels that are entered in 64-bit mode. */
#pragma once

#include <stdint.h>

/*
 * Writes an identity map of the first 4 GiB in 2 MiB pages (Intel SDM vol. 3, 4.5) to tables, which the guest
 * sees at the page-aligned address gpa: PML4, PDPT and four page directories, six pages in all. CR3 is gpa.
 */
void page_tables_build(void *tables, uint64_t gpa);
