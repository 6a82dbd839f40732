/* The exits of KVM_RUN: their names, and how many the reports count. */
#pragma once

#include <stdint.h>

#define KVM_EXIT_REASONS 64 /* reasons from this one on are counted as the last */

/* "io" for KVM_EXIT_IO and so on, as in <linux/kvm.h>; "unknown" for what it does not list. */
const char *kvm_exit_name(uint32_t reason);

/* What KVM_EXIT_INTERNAL_ERROR's suberror means, in words. */
const char *kvm_internal_error_name(uint32_t suberror);
