#include "x86/cpuid.h"

#include <linux/kvm.h>

#include "util/bytes.h"

#define LEAF1_ECX_TSC_DEADLINE (1u << 24)
#define LEAF1_ECX_HYPERVISOR   (1u << 31)
#define LEAF1_EDX_HTT          (1u << 28)

#define TOPOLOGY_SMT  1u
#define TOPOLOGY_CORE 2u

/* Bits of the APIC ID that number the cores of the package. */
static unsigned core_bits(unsigned cpus)
{
	unsigned bits = 0;

	while ((1u << bits) < cpus)
		bits++;
	return bits;
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

/* Leaf 0xb and 0x1f (Intel SDM vol. 2, CPUID): one thread a core, all cores in one package. */
static void adapt_topology(const struct cpuid_config *config, struct kvm_cpuid_entry2 *entry)
{
	entry->edx = config->cpu;
	entry->eax = 0;
	entry->ebx = 0;
	entry->ecx = entry->index;
	if (entry->index == 0) {
		entry->ebx = 1;
		entry->ecx |= TOPOLOGY_SMT << 8;
	} else if (entry->index == 1) {
		entry->eax = core_bits(config->cpus);
		entry->ebx = config->cpus;
		entry->ecx |= TOPOLOGY_CORE << 8;
	}
}

/* Leaf 4: EAX 25:14 is the highest APIC ID below which a cache is shared, 31:26 that of the package. */
static void adapt_cache(const struct cpuid_config *config, struct kvm_cpuid_entry2 *entry)
{
	uint32_t package = (1u << core_bits(config->cpus)) - 1, level = entry->eax >> 5 & 7;

	if (!(entry->eax & 0x1f))
		return; /* the list's end */
	entry->eax &= 0x3fff;
	entry->eax |= (level >= 3 ? package : 0) << 14 | MIN(package, 63u) << 26;
}

void cpuid_adapt(const struct cpuid_config *config, struct kvm_cpuid2 *cpuid)
{
	unsigned i;

	for (i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];

		switch (entry->function) {
		case 0x1:
			adapt_features(config, entry);
			break;
		case 0x4:
			adapt_cache(config, entry);
			break;
		case 0xb:
		case 0x1f:
			adapt_topology(config, entry);
			break;
		case 0x80000008:
			/* AMD: number of cores and width of the core ID. */
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
}
