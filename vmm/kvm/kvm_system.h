/* /dev/kvm: what this host's KVM offers. Capabilities are asked of it, never guessed from CPUID. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct error;
struct kvm_cpuid2;

/* A capability that lodge asks for, for `lodge info` and for the check at start. */
struct kvm_capability {
	int number; /* KVM_CAP_... */
	const char *name;
	bool required;   /* without it a step of the set-up fails */
	const char *use; /* what lodge does with it */
};

extern const struct kvm_capability kvm_capabilities[];
extern const unsigned kvm_capability_count;

struct kvm_system {
	int fd;
	int run_size; /* bytes to map of each vCPU's fd */
};

/*
 * Opens path, "/dev/kvm" as a rule, and sees that it is KVM. -errno and *error (ERROR_HOST) say what is wrong and
 * what to do about it.
 */
int kvm_system_open(struct kvm_system *system, const char *path, struct error *error);
void kvm_system_fini(struct kvm_system *system);

/*
 * Looks for a required capability that is missing: -ENOTSUP and *error (ERROR_HOST) name it, 0 leaves *error alone.
 * For whoever lists them, and to explain a failure: nearly every KVM has them all, and what one lacks fails anyway.
 */
int kvm_system_check(const struct kvm_system *system, const char *path, struct error *error);

/* How many vCPUs a VM can have, at least 1. */
unsigned kvm_system_max_vcpus(const struct kvm_system *system);

/* The value of a capability, 0 when it is absent. */
int kvm_system_capability(const struct kvm_system *system, int number);

/* KVM_GET_SUPPORTED_CPUID into cpuid, which has room for cpuid->nent entries: 0 or -errno. */
int kvm_system_get_cpuid(const struct kvm_system *system, struct kvm_cpuid2 *cpuid);
