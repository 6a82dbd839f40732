#include "map.h"

#include "x86.h"

#define IDENTITY_END  0x100000000ul
#define WINDOW        IDENTITY_END /* boot.S points the fifth PDPT entry at window_pd */
#define LARGE_PAGE    0x200000ul
#define SMALL_PAGE    0x1000ul
#define PAGE_PRESENT  0x01u
#define PAGE_WRITABLE 0x02u
#define PAGE_LARGE    0x80u

extern volatile uint64_t window_pd[], boot_pt[]; /* boot.S */
extern const char image_start[], text_end[];     /* kernel.ld */

void map_protect(void)
{
	boot_pt[0] = 0;
	invlpg(0);
	for (uint64_t addr = (uintptr_t)image_start; addr < (uintptr_t)text_end; addr += SMALL_PAGE) {
		boot_pt[addr / SMALL_PAGE] = addr | PAGE_PRESENT;
		invlpg(addr);
	}
}

void *map_window(uint64_t addr)
{
	if (addr < IDENTITY_END)
		return (void *)addr;
	window_pd[0] = (addr & ~(LARGE_PAGE - 1)) | PAGE_PRESENT | PAGE_WRITABLE | PAGE_LARGE;
	invlpg(WINDOW);
	return (void *)(WINDOW + (addr & (LARGE_PAGE - 1)));
}
