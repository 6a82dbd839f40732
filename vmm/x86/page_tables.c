#include "x86/page_tables.h"

#include "x86/layout.h"

#define ENTRIES     512
#define PAGE_4K     0x1000u
#define PRESENT     (1u << 0)
#define WRITABLE    (1u << 1)
#define LARGE       (1u << 7)
#define DIRECTORIES 4

static_assert(BOOT_PAGES_SIZE == (2 + DIRECTORIES) * PAGE_4K, "PML4, PDPT and the directories");

void page_tables_build(void *tables, uint64_t gpa)
{
	uint64_t *pml4 = tables, *pdpt = pml4 + ENTRIES, *directory = pdpt + ENTRIES;
	uint64_t i;

	memset(tables, 0, BOOT_PAGES_SIZE);
	pml4[0] = (gpa + PAGE_4K) | PRESENT | WRITABLE;
	for (i = 0; i < DIRECTORIES; i++)
		pdpt[i] = (gpa + (2 + i) * PAGE_4K) | PRESENT | WRITABLE;
	for (i = 0; i < (uint64_t)DIRECTORIES * ENTRIES; i++)
		directory[i] = i * MIB(2) | PRESENT | WRITABLE | LARGE;
}
