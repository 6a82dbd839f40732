/* CPUID: what KVM supports, made to tell one vCPU who and where it is. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct kvm_cpuid2;

#define CPUID_ENTRIES_MAX   256 /* as many as KVM takes */
#define CPUID_ENTRIES_ADDED 8   /* the room that cpuid_adapt() may need behind KVM's own */

struct cpuid_config {
	unsigned cpu;  /* this vCPU, also its APIC ID */
	unsigned cpus; /* all of them: one package, a core each */
	bool tsc_deadline;
	uint32_t tsc_khz; /* of this vCPU; 0: not known */
};

/*
 * Changes the leaves that KVM leaves to user space, in place: topology, and the rate of the TSC where that is
 * constant. What it has adapted for one vCPU it can adapt for the next.
 */
void cpuid_adapt(const struct cpuid_config *config, struct kvm_cpuid2 *cpuid);
