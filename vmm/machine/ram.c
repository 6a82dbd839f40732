/* Guest memory: made, told to KVM, and named to the disks. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "backend/block.h"
#include "machine/vm.h"
#include "util/bytes.h"
#include "util/error.h"
#include "util/size.h"

/* Why there is no memory, where it was to be in huge pages, and what to do about it. */
static int explain_huge_pages(
	const struct lodge_vm *vm, uint64_t size, const char *text, int err, struct error *error)
{
	uint64_t wanted = size / HUGE_PAGE_SIZE;
	struct huge_pages pages;

	huge_pages_read(&vm->huge_pages, &pages);
	if (pages.left < wanted) {
		return error_set(error, ERROR_HOST, err,
			"memory of %s: takes %llu huge pages, and %llu of this host's %llu are left; "
			"as root: echo %llu >%s",
			text, (unsigned long long)wanted, (unsigned long long)pages.left,
			(unsigned long long)pages.total,
			(unsigned long long)(pages.total + wanted - pages.left), HUGE_PAGES_FILE);
	}
	return error_set(error, ERROR_HOST, err,
		"memory of %s: this host has huge pages enough, but lodge's cgroup or NUMA policy has not: %s",
		text, strerror(-err));
}

static int add_memory(struct lodge_vm *vm, uint64_t gpa, uint64_t size)
{
	return vm->config.hugepages ? guest_memory_add_huge(&vm->mem, gpa, size)
	                            : guest_memory_add(&vm->mem, gpa, size);
}

/* A disk that cannot make use of it does without. */
void ram_name(struct lodge_vm *vm, unsigned count)
{
	struct iovec iov[GUEST_REGIONS_MAX];
	unsigned i;

	for (i = 0; i < count; i++)
		iov[i] = (struct iovec){vm->mem.regions[i].hva, vm->mem.regions[i].size};
	for (i = 0; i < vm->config.disk_count; i++) {
		struct block_backend *block = vm->disks[i].block;

		if (block && block->ops->use_memory)
			block->ops->use_memory(block, iov, count);
	}
}

int ram_init(struct lodge_vm *vm, struct error *error)
{
	uint64_t size = vm->config.memory, low = MIN(size, HOLE_BASE);
	uint64_t host = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	char text[SIZE_TEXT_MAX], host_text[SIZE_TEXT_MAX];
	unsigned i;
	int err;

	size_format(size, text);
	if (size > host && !vm->config.overcommit) {
		return error_set(error, ERROR_HOST, -ENOMEM,
			"memory of %s: this host has %s; choose less, or allow more with --overcommit", text,
			size_format(host, host_text));
	}
	err = add_memory(vm, 0, low);
	if (!err && size > low)
		err = add_memory(vm, HOLE_END, size - low);
	if (err && vm->config.hugepages) {
		guest_memory_fini(&vm->mem); /* what it got of them counts as left */
		return explain_huge_pages(vm, size, text, err, error);
	}
	for (i = 0; !err && i < vm->mem.count; i++) {
		const struct guest_region *region = &vm->mem.regions[i];

		err = kvm_vm_set_memory(&vm->kvm, i, region->gpa, region->size, region->hva);
	}
	if (!err)
		err = firmware_map(vm);
	if (!err)
		err = kvm_vm_set_real_mode_pages(&vm->kvm, KVM_IDENTITY_BASE, KVM_TSS_BASE);
	if (err) {
		return error_set(
			error, ERROR_HOST, err, "memory of %s: cannot be had: %s", text, strerror(-err));
	}
	/* All of it is in the host's memory, and stays there: so nothing is lost by holding it. */
	if (vm->config.hugepages)
		ram_name(vm, vm->mem.count);
	return 0;
}
