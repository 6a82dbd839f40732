#include "memory/guest_memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory/huge_pages.h"
#include "util/bytes.h"

/* Older headers lack them. */
#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26)
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/*
 * From here on memory is in transparent huge pages where the host makes some: to touch all of it costs a quarter, and a
 * kernel is loaded four times as fast, for this is where Linux begins. Below it there is a page for each that is touched:
 * what a small kernel needs is there, lodger's 200 KiB, and 500 of them would take a gigabyte more.
 */
#define TRANSPARENT_FROM MIB(16)

/* NORESERVE: a guest may have more memory than the host would promise, as it seldom uses it all. */
static void *map_small(uint64_t size)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	uint8_t *hva = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
	uint64_t before;

	/* Kernels since 6.7 align it by themselves. */
	if (hva == MAP_FAILED || size < HUGE_PAGE_SIZE || (uintptr_t)hva % HUGE_PAGE_SIZE == 0)
		return hva;
	munmap(hva, size);
	hva = mmap(NULL, size + HUGE_PAGE_SIZE, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (hva == MAP_FAILED)
		return hva;
	before = align_up((uintptr_t)hva, HUGE_PAGE_SIZE) - (uintptr_t)hva;
	if (before)
		munmap(hva, before);
	munmap(hva + before + size, HUGE_PAGE_SIZE - before);
	return hva + before;
}

/*
 * Without NORESERVE the pages are promised here and now; yet a cgroup or the NUMA policy may withhold them when they
 * are touched, which would be a SIGBUS for whoever does. So all are touched, by the kernel, which returns an error.
 */
static void *map_huge(uint64_t size)
{
	void *hva = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);

	if (hva == MAP_FAILED)
		return hva;
	/* EINVAL: a kernel before 5.14, which cannot do that. */
	if (madvise(hva, size, MADV_POPULATE_WRITE) && errno != EINVAL) {
		munmap(hva, size);
		return MAP_FAILED;
	}
	return hva;
}

static int add(struct guest_memory *mem, gpa_t gpa, uint64_t size, uint64_t page)
{
	bool huge = page == HUGE_PAGE_SIZE;
	uint64_t small;
	uint8_t *hva;

	if (size == 0 || size % page || gpa % page || gpa > UINT64_MAX - size)
		return -EINVAL;
	for (unsigned i = 0; i < mem->count; i++)
		if (ranges_overlap(gpa, size, mem->regions[i].gpa, mem->regions[i].size))
			return -EINVAL;
	if (mem->count == GUEST_REGIONS_MAX)
		return -ENOSPC;
	hva = huge ? map_huge(size) : map_small(size);
	if (hva == MAP_FAILED)
		return -ENOMEM;
	/* Keeps the guest's secrets and gigabytes out of a core dump; no harm done where it fails. */
	madvise(hva, size, MADV_DONTDUMP);
	small = gpa < TRANSPARENT_FROM ? MIN(TRANSPARENT_FROM - gpa, size) : 0;
	if (!huge && small < size)
		madvise(hva + small, size - small, MADV_HUGEPAGE);
	mem->regions[mem->count++] =
		(struct guest_region){.gpa = gpa, .size = size, .hva = hva, .page = page};
	return 0;
}

int guest_memory_add(struct guest_memory *mem, gpa_t gpa, uint64_t size)
{
	return add(mem, gpa, size, (uint64_t)sysconf(_SC_PAGESIZE));
}

int guest_memory_add_huge(struct guest_memory *mem, gpa_t gpa, uint64_t size)
{
	return add(mem, gpa, size, HUGE_PAGE_SIZE);
}

int guest_memory_add_rom(struct guest_memory *mem, gpa_t gpa, uint64_t size)
{
	struct guest_memory alone = {0};
	int err = mem->rom.size ? -ENOSPC : guest_memory_add(&alone, gpa, size);

	if (!err)
		mem->rom = alone.regions[0];
	return err;
}

void guest_memory_fini(struct guest_memory *mem)
{
	if (mem->rom.size)
		munmap(mem->rom.hva, mem->rom.size);
	mem->rom.size = 0;
	while (mem->count > 0) {
		mem->count--;
		munmap(mem->regions[mem->count].hva, mem->regions[mem->count].size);
		mem->regions[mem->count] = (struct guest_region){0};
	}
}

static const struct guest_region *find(const struct guest_memory *mem, gpa_t gpa, uint64_t len)
{
	for (unsigned i = 0; i < mem->count; i++)
		if (len > 0 && range_inside(gpa, len, mem->regions[i].gpa, mem->regions[i].size))
			return &mem->regions[i];
	return NULL;
}

void *guest_memory_at(const struct guest_memory *mem, gpa_t gpa, uint64_t len)
{
	const struct guest_region *region = find(mem, gpa, len);

	return region ? region->hva + (gpa - region->gpa) : NULL;
}

int guest_memory_read(const struct guest_memory *mem, gpa_t gpa, void *to, size_t len)
{
	const void *from;

	if (len == 0)
		return 0;
	from = guest_memory_at(mem, gpa, len);
	if (!from && range_inside(gpa, len, mem->rom.gpa, mem->rom.size))
		from = mem->rom.hva + (gpa - mem->rom.gpa);
	if (!from)
		return -EFAULT;
	memcpy(to, from, len);
	/* A compiler that sees both sides must not go back to the guest's bytes after this point. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return 0;
}

int guest_memory_write(const struct guest_memory *mem, gpa_t gpa, const void *from, size_t len)
{
	void *to;

	if (len == 0)
		return 0;
	to = guest_memory_at(mem, gpa, len);
	if (!to)
		return -EFAULT;
	memcpy(to, from, len);
	return 0;
}

/*
 * Every change of protection goes through KVM's MMU notifier, one that only adds a right included. QEMU takes all
 * rights away for a moment instead; then a virtio request, or another vCPU, that meets the page just there would end
 * lodge by a signal, at the guest's will. Nobody ever executes the page here.
 */
int guest_memory_flush_page(const struct guest_memory *mem, gpa_t gpa)
{
	const struct guest_region *region = find(mem, gpa, 1);
	void *hva;

	if (!region)
		return -EFAULT;
	hva = region->hva + align_down(gpa - region->gpa, region->page);
	if (mprotect(hva, region->page, PROT_READ | PROT_WRITE | PROT_EXEC) ||
		mprotect(hva, region->page, PROT_READ | PROT_WRITE))
		return -errno;
	return 0;
}

uint64_t guest_memory_size(const struct guest_memory *mem)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < mem->count; i++)
		size += mem->regions[i].size;
	return size;
}
