/* CPUID: who and where a vCPU is, for 1 to 64 of them. */
#include "suites.h"

#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"
#include "x86/cpuid.h"

#define HTT          (1u << 28)
#define HYPERVISOR   (1u << 31)
#define TSC_DEADLINE (1u << 24)

/* Every register of the host's answer is this: what changes, lodge has changed. */
#define HOST 0xa5a5a5a5u

static struct {
	uint32_t function, index;
} leaves[] = {{0x0, 0}, {0x1, 0}, {0x4, 0}, {0x4, 1}, {0x4, 2}, {0x4, 3}, {0x7, 0}, {0xb, 0}, {0xb, 1},
	{0xb, 2}, {0x1f, 0}, {0x1f, 1}, {0x40000000, 0}, {0x80000007, 0}, {0x80000008, 0}, {0x8000001d, 0},
	{0x8000001e, 0}};

static struct kvm_cpuid2 *cpuid;

static void fill_with_host(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++)
		cpuid->entries[i] = (struct kvm_cpuid_entry2){.function = leaves[i].function,
			.index = leaves[i].index,
			.eax = HOST,
			.ebx = HOST,
			.ecx = HOST,
			.edx = HOST};
	cpuid->nent = ARRAY_SIZE(leaves);
	memcpy(&cpuid->entries[0].ebx, "Auth", 4);
}

static void adapt(unsigned cpu, unsigned cpus)
{
	const struct cpuid_config config = {.cpu = cpu, .cpus = cpus, .tsc_deadline = true};

	fill_with_host();
	cpuid_adapt(&config, cpuid);
}

static void setup(void)
{
	cpuid = calloc(
		1, sizeof(*cpuid) + (CPUID_ENTRIES_MAX + CPUID_ENTRIES_ADDED) * sizeof(cpuid->entries[0]));
	ck_assert_ptr_nonnull(cpuid);
}

static void teardown(void)
{
	free(cpuid);
}

static struct kvm_cpuid_entry2 *leaf(uint32_t function, uint32_t index)
{
	for (unsigned i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == function && cpuid->entries[i].index == index)
			return &cpuid->entries[i];
	ck_abort_msg("no leaf 0x%x", function);
	return NULL;
}

/* How many bits number `cpus` cores, counted another way than the code does. */
static unsigned bits_for(unsigned cpus)
{
	return cpus == 1 ? 0 : 32 - (unsigned)__builtin_clz(cpus - 1);
}

START_TEST(apic_id_is_the_same_in_every_leaf)
{
	unsigned cpus = (unsigned)_i;

	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		adapt(cpu, cpus);
		ck_assert_uint_eq(leaf(0x1, 0)->ebx >> 24, cpu);
		ck_assert_uint_eq(leaf(0xb, 0)->edx, cpu);
		ck_assert_uint_eq(leaf(0xb, 1)->edx, cpu);
		ck_assert_uint_eq(leaf(0xb, 2)->edx, cpu);
		ck_assert_uint_eq(leaf(0x1f, 0)->edx, cpu);
		ck_assert_uint_eq(leaf(0x1f, 1)->edx, cpu);
		ck_assert_uint_eq(leaf(0x8000001e, 0)->eax, cpu);
		ck_assert_uint_eq(leaf(0x8000001e, 0)->ebx, cpu);
	}
}
END_TEST

START_TEST(topology_is_one_package_of_single_thread_cores)
{
	const struct kvm_cpuid_entry2 *entry;
	unsigned cpus = (unsigned)_i;

	adapt(cpus - 1, cpus);
	for (uint32_t function = 0xb; function <= 0x1f; function += 0x1f - 0xb) {
		entry = leaf(function, 0);
		ck_assert_uint_eq(entry->eax, 0);
		ck_assert_uint_eq(entry->ebx, 1);
		ck_assert_uint_eq(entry->ecx, 1 << 8);
		entry = leaf(function, 1);
		ck_assert_uint_eq(entry->eax, bits_for(cpus));
		ck_assert_uint_eq(entry->ebx, cpus);
		ck_assert_uint_eq(entry->ecx, 2 << 8 | 1);
		ck_assert_uint_eq((cpus - 1) >> entry->eax, 0);
	}
	/* The list's end: level type 0. */
	entry = leaf(0xb, 2);
	ck_assert_uint_eq(entry->eax, 0);
	ck_assert_uint_eq(entry->ebx, 0);
	ck_assert_uint_eq(entry->ecx, 2);
}
END_TEST

START_TEST(older_leaves_agree_with_the_topology)
{
	unsigned cpus = (unsigned)_i, ids = 1u << bits_for(cpus);

	adapt(0, cpus);
	ck_assert_uint_eq(leaf(0x1, 0)->ebx >> 16 & 0xff, ids);
	ck_assert_uint_eq(!!(leaf(0x1, 0)->edx & HTT), cpus > 1);
	ck_assert_uint_eq(leaf(0x4, 0)->eax >> 26, ids - 1);
	ck_assert_uint_eq(leaf(0x4, 3)->eax >> 26, ids - 1);
	ck_assert_uint_eq(leaf(0x80000008, 0)->ecx & 0xff, cpus - 1);
	ck_assert_uint_eq(leaf(0x80000008, 0)->ecx >> 12 & 0xf, bits_for(cpus));
	ck_assert_uint_eq(leaf(0x8000001e, 0)->ebx >> 8 & 0xff, 0);
	ck_assert_uint_eq(leaf(0x8000001e, 0)->ecx, 0);
}
END_TEST

/* Leaf 4, EAX 25:14: the highest APIC ID bits that share the cache. Levels 1 and 2 belong to a core. */
START_TEST(caches_are_shared_by_no_threads_that_there_are_not)
{
	static const uint32_t types[] = {1 | 1 << 5, 2 | 1 << 5, 3 | 2 << 5, 3 | 3 << 5};
	const struct cpuid_config config = {.cpu = 1, .cpus = 4};

	adapt(1, 4);
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		/* The host's cores have two threads, and 16 share the last level. */
		cpuid->entries[2 + i].eax = types[i] | (i == 3 ? 15u : 1u) << 14 | 15u << 26;
	}
	cpuid_adapt(&config, cpuid);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(leaf(0x4, i)->eax >> 14 & 0xfff, 0);
	/* The last level is the package's. */
	ck_assert_uint_eq(leaf(0x4, 3)->eax >> 14 & 0xfff, 3);
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++)
		ck_assert_uint_eq(leaf(0x4, i)->eax & 0x3fff, types[i]);
}
END_TEST

START_TEST(what_the_host_says_besides_stays)
{
	const struct kvm_cpuid_entry2 *entry;

	adapt(3, 4);
	for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++) {
		entry = leaf(leaves[i].function, leaves[i].index);
		if (entry->function == 7 || entry->function == 0x40000000) {
			ck_assert_uint_eq(entry->eax, HOST);
			ck_assert_uint_eq(entry->ebx, HOST);
			ck_assert_uint_eq(entry->ecx, HOST);
			ck_assert_uint_eq(entry->edx, HOST);
		}
	}
	ck_assert_uint_eq(leaf(0x1, 0)->eax, HOST);
	ck_assert_uint_eq(leaf(0x1, 0)->ebx & 0xffff, HOST & 0xffff);
	ck_assert_uint_eq(leaf(0x1, 0)->ecx | HYPERVISOR | TSC_DEADLINE, HOST | HYPERVISOR | TSC_DEADLINE);
	ck_assert_uint_eq(leaf(0x1, 0)->edx | HTT, HOST | HTT);
	ck_assert_uint_eq(leaf(0x80000008, 0)->eax, HOST);
}
END_TEST

/* Newer KVMs list subleaf 0 alone; and KVM looks at the index only where a flag says so. */
START_TEST(topology_has_all_its_levels_whatever_kvm_lists)
{
	struct cpuid_config config = {.cpus = 4};
	unsigned count;

	fill_with_host();
	cpuid->entries[0].function = 0xb;
	cpuid->nent = 1;
	for (config.cpu = 0; config.cpu < config.cpus; config.cpu++) {
		cpuid_adapt(&config, cpuid);
		ck_assert_uint_eq(cpuid->nent, 3);
		ck_assert_uint_eq(leaf(0xb, 1)->ebx, 4);
		ck_assert_uint_eq(leaf(0xb, 1)->edx, config.cpu);
	}
	adapt(0, 4);
	count = cpuid->nent;
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(leaf(0xb, i)->flags, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
		ck_assert_uint_eq(leaf(0x1f, i)->flags, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
	}
	ck_assert_uint_eq(count, ARRAY_SIZE(leaves) + 1); /* 0x1f had two subleaves */
	/* A CPU that has no such leaf gets none. */
	fill_with_host();
	cpuid->nent = 2;
	cpuid_adapt(&config, cpuid);
	ck_assert_uint_eq(cpuid->nent, 2);
}
END_TEST

START_TEST(amds_cache_leaf_agrees_with_the_topology)
{
	const struct cpuid_config config = {.cpus = 16};

	for (unsigned level = 1; level <= 3; level++) {
		fill_with_host();
		leaf(0x8000001d, 0)->eax = 3 | level << 5 | 0xfffu << 14;
		cpuid_adapt(&config, cpuid);
		ck_assert_uint_eq(leaf(0x8000001d, 0)->eax, 3 | level << 5 | (level == 3 ? 15u : 0) << 14);
	}
	fill_with_host();
	leaf(0x8000001d, 0)->eax = 0;
	leaf(0x4, 0)->eax = 0;
	cpuid_adapt(&config, cpuid);
	ck_assert_uint_eq(leaf(0x8000001d, 0)->eax, 0); /* the list's end stays it */
	ck_assert_uint_eq(leaf(0x4, 0)->eax, 0);
}
END_TEST

START_TEST(intel_has_no_core_count_in_amds_leaf)
{
	const struct cpuid_config config = {.cpus = 16};

	fill_with_host();
	memcpy(&cpuid->entries[0].ebx, "Genu", 4);
	cpuid_adapt(&config, cpuid);
	ck_assert_uint_eq(leaf(0x80000008, 0)->ecx, HOST);
}
END_TEST

static void adapt_timing(const char *hypervisor, uint32_t power, uint32_t khz)
{
	const struct cpuid_config config = {.cpus = 1, .tsc_khz = khz};
	struct kvm_cpuid_entry2 *kvm;

	fill_with_host();
	leaf(0x80000007, 0)->edx = power;
	kvm = leaf(0x40000000, 0);
	kvm->eax = 0x40000001;
	memcpy(&kvm->ebx, hypervisor, 4);
	memcpy(&kvm->ecx, hypervisor + 4, 4);
	memcpy(&kvm->edx, hypervisor + 8, 4);
	cpuid_adapt(&config, cpuid);
	cpuid_adapt(&config, cpuid);
}

START_TEST(tsc_rate_is_told_where_it_is_constant)
{
	unsigned count;

	adapt_timing("KVMKVMKVM\0\0", 0x100, 2596120);
	ck_assert_uint_eq(leaf(0x40000000, 0)->eax, 0x40000010);
	ck_assert_uint_eq(leaf(0x40000010, 0)->eax, 2596120);
	ck_assert_uint_eq(leaf(0x40000010, 0)->ebx, 1000000);
	ck_assert_uint_eq(leaf(0x40000010, 0)->ecx, 0);
	count = cpuid->nent;
	adapt_timing("KVMKVMKVM\0\0", 0x100, 0);
	ck_assert_uint_eq(cpuid->nent, count - 1);
	ck_assert_uint_eq(leaf(0x40000000, 0)->eax, 0x40000001);
	adapt_timing("KVMKVMKVM\0\0", 0x0ff, 2596120);
	ck_assert_uint_eq(cpuid->nent, count - 1);
	adapt_timing("Microsoft Hv", 0x100, 2596120);
	ck_assert_uint_eq(cpuid->nent, count - 1);
}
END_TEST

START_TEST(hypervisor_bit_is_always_set)
{
	adapt(0, 1);
	ck_assert(leaf(0x1, 0)->ecx & HYPERVISOR);
}
END_TEST

START_TEST(tsc_deadline_timer_is_there_when_kvm_has_it)
{
	struct cpuid_config config = {.cpus = 1, .tsc_deadline = true};

	adapt(0, 1);
	cpuid->entries[1].ecx = 0;
	cpuid_adapt(&config, cpuid);
	ck_assert(leaf(0x1, 0)->ecx & TSC_DEADLINE);
	config.tsc_deadline = false;
	cpuid_adapt(&config, cpuid);
	ck_assert(!(leaf(0x1, 0)->ecx & TSC_DEADLINE));
}
END_TEST

Suite *cpuid_suite(void)
{
	Suite *suite = suite_create("x86/cpuid");
	TCase *tcase = tcase_create("cpuid");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, apic_id_is_the_same_in_every_leaf, 1, 65);
	tcase_add_loop_test(tcase, topology_is_one_package_of_single_thread_cores, 1, 65);
	tcase_add_loop_test(tcase, older_leaves_agree_with_the_topology, 1, 65);
	tcase_add_test(tcase, caches_are_shared_by_no_threads_that_there_are_not);
	tcase_add_test(tcase, topology_has_all_its_levels_whatever_kvm_lists);
	tcase_add_test(tcase, amds_cache_leaf_agrees_with_the_topology);
	tcase_add_test(tcase, intel_has_no_core_count_in_amds_leaf);
	tcase_add_test(tcase, tsc_rate_is_told_where_it_is_constant);
	tcase_add_test(tcase, what_the_host_says_besides_stays);
	tcase_add_test(tcase, hypervisor_bit_is_always_set);
	tcase_add_test(tcase, tsc_deadline_timer_is_there_when_kvm_has_it);
	return suite;
}
