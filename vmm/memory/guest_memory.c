#include "memory/guest_memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/bytes.h"

int guest_memory_add(struct guest_memory *mem, gpa_t gpa, uint64_t size)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	void *hva;

	if (size == 0 || size % page || gpa % page || gpa > UINT64_MAX - size)
		return -EINVAL;
	for (unsigned i = 0; i < mem->count; i++)
		if (ranges_overlap(gpa, size, mem->regions[i].gpa, mem->regions[i].size))
			return -EINVAL;
	if (mem->count == GUEST_REGIONS_MAX)
		return -ENOSPC;
	/* NORESERVE: a guest may have more memory than the host would promise, as it seldom uses it all. */
	hva = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (hva == MAP_FAILED)
		return -ENOMEM;
	/* Keeps the guest's secrets and gigabytes out of a core dump; no harm done where it fails. */
	madvise(hva, size, MADV_DONTDUMP);
	mem->regions[mem->count++] = (struct guest_region){.gpa = gpa, .size = size, .hva = hva};
	return 0;
}

void guest_memory_fini(struct guest_memory *mem)
{
	while (mem->count > 0) {
		mem->count--;
		munmap(mem->regions[mem->count].hva, mem->regions[mem->count].size);
		mem->regions[mem->count] = (struct guest_region){0};
	}
}

void *guest_memory_at(const struct guest_memory *mem, gpa_t gpa, uint64_t len)
{
	for (unsigned i = 0; i < mem->count; i++) {
		const struct guest_region *region = &mem->regions[i];

		if (len > 0 && range_inside(gpa, len, region->gpa, region->size))
			return region->hva + (gpa - region->gpa);
	}
	return NULL;
}

int guest_memory_read(const struct guest_memory *mem, gpa_t gpa, void *to, size_t len)
{
	const void *from;

	if (len == 0)
		return 0;
	from = guest_memory_at(mem, gpa, len);
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
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	void *hva = guest_memory_at(mem, align_down(gpa, page), page);

	if (!hva)
		return -EFAULT;
	if (mprotect(hva, page, PROT_READ | PROT_WRITE | PROT_EXEC) ||
		mprotect(hva, page, PROT_READ | PROT_WRITE))
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
