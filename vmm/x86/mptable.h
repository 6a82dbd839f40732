/*
 * The MP table (Intel MultiProcessor Specification 1.4), for kernels without ACPI: the CPUs, the IOAPIC, and which
 * pin each interrupt line has.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hw_device;

struct mptable_config {
	const struct hw_device *devices;
	unsigned device_count;
	unsigned cpus; /* APIC IDs from 0 on; 0 is the boot processor */
	bool pic;      /* there are a PC's two 8259s */
};

/* Writes floating pointer and table to buf, seen by the guest at gpa (16-aligned, in the BIOS area): 0, or -ENOSPC. */
int mptable_build(const struct mptable_config *config, void *buf, size_t size, uint64_t gpa);
