#include "x86/cpuid.h"

#include <linux/kvm.h>

#include "util/bytes.h"

#define LEAF_TOPOLOGY    0xbu
#define LEAF_TOPOLOGY_V2 0x1fu
#define LEAF_KVM         0x40000000u
#define LEAF_KVM_TIMING  0x40000010u
#define LEAF_AMD_POWER   0x80000007u

#define LEAF1_ECX_TSC_DEADLINE (1u << 24)
#define LEAF1_ECX_HYPERVISOR   (1u << 31)
#define LEAF1_EDX_HTT          (1u << 28)
#define POWER_EDX_INVARIANT    (1u << 8)

#define TOPOLOGY_SMT     1u
#define TOPOLOGY_CORE    2u
#define TOPOLOGY_LEVELS  3 /* thread, core, and the list's end */
#define KVM_APIC_BUS_KHZ 1000000u

/* Bits of the APIC ID that number the cores of the package. */
static unsigned core_bits(unsigned cpus)
{
	unsigned bits = 0;

	while ((1u << bits) < cpus)
		bits++;
	return bits;
}

static struct kvm_cpuid_entry2 *find(struct kvm_cpuid2 *cpuid, uint32_t function)
{
	unsigned i;

	for (i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function == function)
			return &cpuid->entries[i];
	}
	return NULL;
}

static void adapt_features(const struct cpuid_config *config, struct kvm_cpuid_entry2 *entry)
{
	/* Initial APIC ID, logical processors, CLFLUSH size (kept), brand index (kept). */
	entry->ebx = (entry->ebx & 0xffff) | (1u << core_bits(config->cpus)) << 16 | config->cpu << 24;
	entry->ecx |= LEAF1_ECX_HYPERVISOR;
	if (config->tsc_deadline)
		entry->ecx |= LEAF1_ECX_TSC_DEADLINE;
	else
		entry->ecx &= ~LEAF1_ECX_TSC_DEADLINE;
	if (config->cpus > 1)
		entry->edx |= LEAF1_EDX_HTT;
	else
		entry->edx &= ~LEAF1_EDX_HTT;
}

/*
 * Leaf 4 (Intel) and 0x8000001d (AMD), a cache: EAX 25:14 tell how many threads share it, less one. A core has one
 * thread here, so that its own caches (levels 1 and 2) are shared by none; the last level by all.
 */
static void adapt_cache(const struct cpuid_config *config, struct kvm_cpuid_entry2 *entry)
{
	unsigned ids = 1u << core_bits(config->cpus), level = entry->eax >> 5 & 7;

	if (!(entry->eax & 0x1f))
		return; /* the end of the list */
	entry->eax &= 0x3fff;
	if (level > 2)
		entry->eax |= (ids - 1) << 14;
	if (entry->function == 0x4)
		entry->eax |= MIN(ids - 1, 63u) << 26; /* cores of the package, less one */
}

static bool is_amd(struct kvm_cpuid2 *cpuid)
{
	const struct kvm_cpuid_entry2 *vendor = find(cpuid, 0);

	/* "AuthenticAMD", "HygonGenuine" */
	return vendor && (!memcmp(&vendor->ebx, "Auth", 4) || !memcmp(&vendor->ebx, "Hygo", 4));
}

static void adapt_entry(const struct cpuid_config *config, struct kvm_cpuid_entry2 *entry, bool amd)
{
	switch (entry->function) {
	case 0x1:
		adapt_features(config, entry);
		break;
	case 0x4:
	case 0x8000001d:
		adapt_cache(config, entry);
		break;
	case 0x80000008:
		/* AMD: width of the core ID, number of cores less one. Intel: reserved. */
		if (amd)
			entry->ecx =
				(entry->ecx & ~0xf0ffu) | core_bits(config->cpus) << 12 | (config->cpus - 1);
		break;
	case 0x8000001e:
		/* AMD: extended APIC ID, core ID; one thread a core, one node. */
		entry->eax = config->cpu;
		entry->ebx = config->cpu & 0xff;
		entry->ecx = 0;
		break;
	default:
		break;
	}
}

/* Takes a leaf out, all its subleaves; true: it was there. */
static bool drop(struct kvm_cpuid2 *cpuid, uint32_t function)
{
	unsigned i, kept = 0;
	bool found;

	for (i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function != function)
			cpuid->entries[kept++] = cpuid->entries[i];
	}
	found = kept < cpuid->nent;
	cpuid->nent = kept;
	return found;
}

/*
 * Leaf 0xb and 0x1f (Intel SDM vol. 2, CPUID): one thread a core, all cores in one package. Written anew: newer
 * KVMs list subleaf 0 alone, and a guest that finds no core level takes every CPU for a package of its own.
 */
static void write_topology(const struct cpuid_config *config, struct kvm_cpuid2 *cpuid, uint32_t function)
{
	unsigned level;

	if (!drop(cpuid, function))
		return;
	for (level = 0; level < TOPOLOGY_LEVELS; level++) {
		struct kvm_cpuid_entry2 *entry = &cpuid->entries[cpuid->nent++];

		*entry = (struct kvm_cpuid_entry2){
			.function = function,
			.index = level,
			.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			.ecx = level,
			.edx = config->cpu,
		};
		if (level == 0) {
			entry->ebx = 1;
			entry->ecx |= TOPOLOGY_SMT << 8;
		} else if (level == 1) {
			entry->eax = core_bits(config->cpus);
			entry->ebx = config->cpus;
			entry->ecx |= TOPOLOGY_CORE << 8;
		}
	}
}

/*
 * The rates of the TSC and of the APIC's timer in kHz, in the leaf that VMware invented and QEMU shows under KVM's
 * signature too: a guest that reads it calibrates nothing. Only where the TSC has one rate for good; elsewhere
 * kvmclock tells the truth as it changes. Leaf 0x15 is left alone: with KVM's 1 GHz APIC bus as the crystal, the
 * 32-bit product that Linux makes of it overflows.
 */
static void write_timing(const struct cpuid_config *config, struct kvm_cpuid2 *cpuid)
{
	const struct kvm_cpuid_entry2 *power = find(cpuid, LEAF_AMD_POWER);
	struct kvm_cpuid_entry2 *kvm = find(cpuid, LEAF_KVM);

	if (!config->tsc_khz || !power || !(power->edx & POWER_EDX_INVARIANT))
		return;
	if (!kvm || memcmp(&kvm->ebx, "KVMKVMKVM\0\0", 12) != 0)
		return;
	kvm->eax = MAX(kvm->eax, LEAF_KVM_TIMING);
	drop(cpuid, LEAF_KVM_TIMING);
	cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){
		.function = LEAF_KVM_TIMING,
		.eax = config->tsc_khz,
		.ebx = KVM_APIC_BUS_KHZ,
	};
}

void cpuid_adapt(const struct cpuid_config *config, struct kvm_cpuid2 *cpuid)
{
	bool amd = is_amd(cpuid);
	unsigned i;

	for (i = 0; i < cpuid->nent; i++)
		adapt_entry(config, &cpuid->entries[i], amd);
	write_topology(config, cpuid, LEAF_TOPOLOGY);
	write_topology(config, cpuid, LEAF_TOPOLOGY_V2);
	write_timing(config, cpuid);
}
