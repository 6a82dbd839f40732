/* The CPU's own: MSRs, page tables that point at nothing, CPUs that are started over and over. */
#include <stddef.h>

#include "clock.h"
#include "console.h"
#include "hostile.h"
#include "hostile_rig.h"
#include "lapic.h"
#include "smp.h"
#include "trap.h"
#include "x86.h"

#define MSR_TSC          0x10u
#define MSR_APIC_BASE    0x1bu
#define MSR_TSC_ADJUST   0x3bu
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_EFER         0xc0000080u
#define MSR_FS_BASE      0xc0000100u
#define MSR_KVM_WALL     0x4b564d00u
#define NON_CANONICAL    0x8000000000000000ul
#define SIPI_PAGE        0x90u
#define START_US         1000000

struct access {
	uint32_t msr;
	uint64_t value;
};

static void read_it(void *arg)
{
	struct access *access = arg;

	access->value = rdmsr(access->msr);
}

static void write_it(void *arg)
{
	const struct access *access = arg;

	wrmsr(access->msr, access->value);
}

/* What would take the guest's own feet away, and is none of the VMM's business. */
static bool is_vital(uint32_t msr)
{
	return msr == MSR_TSC || msr == MSR_APIC_BASE || msr == MSR_TSC_ADJUST || msr == MSR_TSC_DEADLINE ||
	       msr == MSR_EFER || msr == MSR_FS_BASE;
}

/* Either it works or it is #GP; a value that was there is put back. Of MSRs that are none, only some are written. */
static const char *try_msr(uint32_t msr, bool write_anyway)
{
	static const uint64_t values[] = {0, UINT64_MAX, NON_CANONICAL, 0x5555555555555555};
	struct access old = {.msr = msr}, access;
	int vector = trap_try(read_it, &old);

	if (vector >= 0 && vector != VECTOR_GP)
		return "rdmsr ends in another exception than #GP";
	if (is_vital(msr) || (vector >= 0 && !write_anyway))
		return NULL;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		access = (struct access){.msr = msr, .value = values[i]};
		int result = trap_try(write_it, &access);

		if (result >= 0 && result != VECTOR_GP)
			return "wrmsr ends in another exception than #GP";
	}
	if (vector < 0)
		trap_try(write_it, &old);
	return NULL;
}

/* Where CPUs and KVM have theirs, and those in between. */
static const struct {
	uint32_t from, to;
	bool dense;
} msr_ranges[] = {
	{0, 0x200, true},
	{0x200, 0x300, true}, /* MTRRs, PAT */
	{0x300, 0x800, false},
	{0x800, 0x840, true}, /* x2APIC */
	{0x840, 0x2000, false},
	{0x40000000, 0x40000200, false}, /* Hyper-V's */
	{0x4b564d00, 0x4b564d10, true},  /* KVM's */
	{0xc0000000, 0xc0000080, false},
	{0xc0000080, 0xc0000110, true}, /* EFER to TSC_AUX */
	{0xc0000110, 0xc0000400, false},
	{0xc0010000, 0xc0010130, true}, /* AMD's */
	{0xc0010130, 0xc0010400, false},
	{0xc0011000, 0xc0011040, true},
	{0x80000000, 0x80000004, true},
	{0xfffffffc, 0xffffffff, true},
};

/*
 * Those where MSRs lie close together, and of the others one in so many; of those that there are not, one in so many
 * is written. 1: all of all. Interrupts are off meanwhile.
 */
static const char *msrs(uint64_t rounds)
{
	uint32_t every = rounds == 0 || rounds > 1000 ? 1 : (uint32_t)rounds;
	uint64_t flags = irq_save();
	const char *why = NULL;

	for (size_t i = 0; why == NULL && i < sizeof(msr_ranges) / sizeof(msr_ranges[0]); i++) {
		uint32_t step = msr_ranges[i].dense ? 1 : every;

		for (uint32_t msr = msr_ranges[i].from; why == NULL && msr < msr_ranges[i].to; msr += step) {
			why = try_msr(msr, msr % every == 0);
			if (why != NULL)
				print("hostile: MSR 0x%x\n", msr);
		}
	}
	irq_restore(flags);
	return why;
}

/* KVM writes the time where the guest says: outside RAM, across its end, and at the end of all addresses. */
static const char *kvm_msrs(uint64_t rounds)
{
	const uint64_t places[] = {0xd0000001, rig_low_end() | 1, (rig_low_end() - 4) | 1, 0xfffffffffffff001,
		0xfffffffffffffffd, 0x100000001, (1ul << 52) | 1, 3, 0x7fffffffffffffff};

	(void)rounds;
	for (uint32_t msr = MSR_KVM_WALL; msr <= MSR_KVM_WALL + 8; msr++) {
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			struct access access = {.msr = msr, .value = places[i]};
			int vector = trap_try(write_it, &access);

			if (vector >= 0 && vector != VECTOR_GP)
				return "wrmsr ends in another exception than #GP";
			clock_delay(50); /* an exit or two, at which the time is written */
		}
		struct access off = {.msr = msr};

		trap_try(write_it, &off);
	}
	return NULL;
}

static bool is_alive(void *arg)
{
	return ((const struct smp_cpu *)arg)->alive;
}

/* INIT and SIPI, at any moment of its start, and then it works. */
static const char *cpu_starts(uint64_t rounds)
{
	uint32_t id = 0;

	while (id < SMP_CPUS_MAX && (!smp_cpus[id].alive || id == smp_boot_id()))
		id++;
	for (uint64_t n = 0; n < rounds; n++) {
		smp_cpus[id].alive = false;
		lapic_send_init(id);
		if (n % 3 == 1)
			lapic_send_init(id);
		lapic_send_sipi(id, SIPI_PAGE);
		if (n % 4 == 2)
			lapic_send_sipi(id, SIPI_PAGE);
		clock_delay(n % 5 * 30);
	}
	/* One INIT more, so that no SIPI of before counts. */
	smp_cpus[id].alive = false;
	lapic_send_init(id);
	lapic_send_sipi(id, SIPI_PAGE);
	return clock_wait(is_alive, &smp_cpus[id], START_US) ? NULL : "the CPU does not start any more";
}

const struct attack attacks_cpu[] = {
	{.name = "msrs",
		.run = msrs,
		.rounds = 16,
		.what = "MSRs read and written with patterns; those that nobody has, one in so many (1: all)"},
	{.name = "kvm-msrs", .run = kvm_msrs, .what = "KVM's clock and other structures outside RAM"},
	{.name = "cpu-starts",
		.run = cpu_starts,
		.rounds = 20,
		.smp = true,
		.what = "INIT and SIPI, again and again"},
	{.name = NULL},
};
