/*
 * The ACPI tables that describe the machine (ACPI 6.4): no fixed hardware (HW_REDUCED_ACPI) but the sleep and
 * the reset register, and of namespace objects the devices that a kernel cannot find by probing.
 *
 *   RSDP -> XSDT -> FADT -> DSDT { \_S5; \_SB { COM0: PNP0501, RTC0: PNP0B00, PAN0: QEMU0001, VIO0: LNRO0005,
 *                                               PCI0: PNP0A03, PWR0: PNP0C0C, GED0: ACPI0013 } }
 *                -> MADT: local APICs, IOAPIC, NMI
 *
 * There is no PM timer, no SCI and no FACS.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hw_device;

struct acpi_config {
	const struct hw_device *devices;
	unsigned device_count;
	unsigned cpus; /* APIC IDs from 0 on */
	bool pic;      /* there are a PC's two 8259s */
};

/* Writes the tables to buf, seen by the guest at gpa (16-aligned), the RSDP first: 0, or -ENOSPC. */
int acpi_build(const struct acpi_config *config, void *buf, size_t size, uint64_t gpa);
