/* CPUID: what KVM supports, made to tell one vCPU who and where it is. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct kvm_cpuid2;

#define CPUID_ENTRIES_MAX 256

struct cpuid_config {
	unsigned cpu;  /* this vCPU, also its APIC ID */
	unsigned cpus; /* all of them: one package, a core each */
	bool tsc_deadline;
};

/* Changes the leaves that KVM leaves to user space, in place. */
void cpuid_adapt(const struct cpuid_config *config, struct kvm_cpuid2 *cpuid);
