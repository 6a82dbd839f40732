/*
 * A bare VMM. As a program (built with -DBARE_MAIN) it runs a guest of one instruction, an OUT to the serial
 * port, and prints the byte: what `make bench` compares the start of lodge with.
 */
#include "bench/bare.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MEMORY_SIZE (32u << 20)
#define CODE_BASE   0x100000u
#define EXIT_PORT   0xf4

struct bare {
	int vcpu;
	struct kvm_run *run;
};

static void check(long result, const char *what)
{
	if (result >= 0)
		return;
	perror(what);
	exit(EXIT_FAILURE);
}

static struct bare bare_make(const void *code, size_t len, bool split)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm = ioctl(kvm, KVM_CREATE_VM, 0);
	uint8_t *memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct kvm_userspace_memory_region region = {
		.memory_size = MEMORY_SIZE, .userspace_addr = (uintptr_t)memory};
	const struct kvm_enable_cap local_apics = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {24}};
	struct kvm_segment flat = {
		.limit = UINT32_MAX, .selector = 0x10, .present = 1, .s = 1, .g = 1, .db = 1, .type = 0xb};
	struct kvm_regs regs = {.rip = CODE_BASE, .rflags = 2};
	struct kvm_sregs sregs;
	struct bare bare;

	check(vm, "KVM_CREATE_VM");
	memcpy(memory + CODE_BASE, code, len);
	check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
	if (split)
		check(ioctl(vm, KVM_ENABLE_CAP, &local_apics), "KVM_CAP_SPLIT_IRQCHIP");
	else
		check(ioctl(vm, KVM_CREATE_IRQCHIP, 0), "KVM_CREATE_IRQCHIP");
	bare.vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	check(bare.vcpu, "KVM_CREATE_VCPU");
	bare.run = mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
		MAP_SHARED, bare.vcpu, 0);
	check(bare.run == MAP_FAILED ? -1 : 0, "mmap");
	check(ioctl(bare.vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.cs = flat;
	flat.type = 0x3;
	sregs.ds = sregs.es = sregs.ss = flat;
	sregs.cr0 |= 1;
	check(ioctl(bare.vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
	check(ioctl(bare.vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
	return bare;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t bare_run(const void *code, size_t len, bool split)
{
	struct bare bare = bare_make(code, len, split);
	uint64_t start = now_ns();

	do {
		check(ioctl(bare.vcpu, KVM_RUN, 0), "KVM_RUN");
	} while (bare.run->exit_reason == KVM_EXIT_MMIO ||
		 (bare.run->exit_reason == KVM_EXIT_IO && bare.run->io.port != EXIT_PORT));
	return now_ns() - start;
}

#ifdef BARE_MAIN
int main(int argc, char **argv)
{
	static const uint8_t out[] = {0xe6, EXIT_PORT}; /* out 0xf4, al */

	bare_run(out, sizeof(out), argc > 1 && !strcmp(argv[1], "split"));
	return write(STDOUT_FILENO, "l", 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
#endif
