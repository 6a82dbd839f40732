#include "x86/acpi.h"

#include <errno.h>

#include "util/bytes.h"
#include "x86/aml.h"
#include "x86/checksum.h"
#include "x86/fdt.h"
#include "x86/layout.h"

#define SLEEP_TYPE_S5 5    /* what the sleep control register takes for "soft off" */
#define RESET_VALUE   0x06 /* SYS_RST and RST_CPU */
#define CMOS_CENTURY  0x32

#define BUTTON_PRESSED 0x80 /* what a control method power button notifies (ACPI 6.4, 5.6.6) */

/* FADT: fixed feature flags (ACPI 6.4, table 5.10). */
#define FADT_WBINVD     (1u << 0)
#define FADT_PROC_C1    (1u << 2)
#define FADT_PWR_BUTTON (1u << 4) /* set: no fixed-hardware button */
#define FADT_SLP_BUTTON (1u << 5)
#define FADT_FIX_RTC    (1u << 6) /* set: no fixed-hardware wake-up */
#define FADT_RESET_REG  (1u << 10)
#define FADT_HEADLESS   (1u << 12)
#define FADT_HW_REDUCED (1u << 20)

/* FADT: IA-PC boot architecture flags (ACPI 6.4, table 5.11). */
#define BOOT_LEGACY_DEVICES (1u << 0)
#define BOOT_NO_VGA         (1u << 2)
#define BOOT_NO_CMOS_RTC    (1u << 5)

#define GAS_SYSTEM_IO   1
#define GAS_BYTE_ACCESS 1

#define MADT_PCAT_COMPAT 1u /* KVM has the two 8259s: a kernel shall mask them */
#define MADT_LAPIC       0
#define MADT_IOAPIC      1
#define MADT_LAPIC_NMI   4
#define MADT_ENABLED     1u
#define MADT_ALL_CPUS    0xff

struct rsdp {
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes, which is all that ACPI 1.0 had */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __attribute__((packed));

struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

/* Generic address structure (ACPI 6.4, 5.2.3.2). */
struct gas {
	uint8_t space;
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t access;
	uint64_t address;
} __attribute__((packed));

struct fadt {
	struct header header;
	uint32_t facs;
	uint32_t dsdt;
	uint8_t reserved0;
	uint8_t pm_profile;
	uint8_t fixed_hardware[62]; /* SCI to MON_ALRM: not there, and 0 */
	uint8_t century;
	uint16_t boot_flags;
	uint8_t reserved1;
	uint32_t flags;
	struct gas reset_register;
	uint8_t reset_value;
	uint16_t arm_boot_flags;
	uint8_t minor_version;
	uint64_t x_facs;
	uint64_t x_dsdt;
	struct gas x_fixed_hardware[8];
	struct gas sleep_control;
	struct gas sleep_status;
	char hypervisor[8];
} __attribute__((packed));

struct madt {
	struct header header;
	uint32_t lapic_base;
	uint32_t flags;
} __attribute__((packed));

struct madt_lapic {
	uint8_t type;
	uint8_t length;
	uint8_t uid;
	uint8_t apic_id;
	uint32_t flags;
} __attribute__((packed));

struct madt_ioapic {
	uint8_t type;
	uint8_t length;
	uint8_t id;
	uint8_t reserved;
	uint32_t base;
	uint32_t first_gsi;
} __attribute__((packed));

struct madt_lapic_nmi {
	uint8_t type;
	uint8_t length;
	uint8_t uid;
	uint16_t flags; /* 0: polarity and trigger as the bus has them */
	uint8_t lint;
} __attribute__((packed));

static_assert(sizeof(struct rsdp) == 36, "as in ACPI 6.4, table 5.3");
static_assert(sizeof(struct header) == 36, "as in ACPI 6.4, table 5.4");
static_assert(sizeof(struct fadt) == 276, "as in ACPI 6.4, table 5.9");
static_assert(offsetof(struct fadt, century) == 108, "as in ACPI 6.4, table 5.9");
static_assert(offsetof(struct fadt, x_dsdt) == 140, "as in ACPI 6.4, table 5.9");
static_assert(offsetof(struct fadt, sleep_control) == 244, "as in ACPI 6.4, table 5.9");
static_assert(CPUS_MAX <= 255, "local APIC entries of the MADT have 8-bit IDs");

/* The memory that the tables are taken from, one after the other. */
struct area {
	uint8_t *bytes;
	size_t size;
	size_t used;
	uint64_t gpa;
	bool full;
};

/* All zero; NULL where it does not fit. */
static void *take(struct area *area, size_t size)
{
	size_t at = align_up(area->used, 16);

	if (area->full || at > area->size || size > area->size - at) {
		area->full = true;
		return NULL;
	}
	memset(area->bytes + area->used, 0, at + size - area->used);
	area->used = at + size;
	return area->bytes + at;
}

static uint64_t address(const struct area *area, const void *table)
{
	return area->gpa + (uint64_t)((const uint8_t *)table - area->bytes);
}

/* Fills the header of a table whose other bytes are all there; returns the table's address. */
static uint64_t seal(const struct area *area, struct header *header, const char *signature, uint8_t revision,
	size_t length)
{
	memcpy(header->signature, signature, sizeof(header->signature));
	memcpy(header->oem_id, "LODGE ", sizeof(header->oem_id));
	memcpy(header->oem_table_id, "LODGE   ", sizeof(header->oem_table_id));
	memcpy(header->creator_id, "LDGE", sizeof(header->creator_id));
	header->length = (uint32_t)length;
	header->revision = revision;
	header->oem_revision = 1;
	header->creator_revision = 1;
	header->checksum = 0;
	header->checksum = checksum(header, length);
	return address(area, header);
}

static const struct hw_device *find(const struct acpi_config *config, const char *compatible)
{
	unsigned i;

	for (i = 0; i < config->device_count; i++) {
		const struct hw_device *device = &config->devices[i];

		if (device->compatible && !strcmp(device->compatible, compatible))
			return device;
	}
	return NULL;
}

#define PCI_HOST "lodge,pci-host"

/*
 * The devices that ACPI tells of, by their `compatible`. Not the keyboard controller: it is there for its reset
 * line, no keyboard is plugged in, and a kernel that believes in one spends a second on looking for it.
 */
static const struct {
	const char *compatible;
	const char *name; /* of three characters; a fourth numbers them */
	const char *hid;
} identities[] = {
	{"ns16550a", "COM", "PNP0501"},
	{"motorola,mc146818", "RTC", "PNP0B00"},
	{"qemu,pvpanic", "PAN", "QEMU0001"},
	{"virtio,mmio", "VIO", "LNRO0005"},
	{PCI_HOST, "PCI", "PNP0A03"},
};

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

static void write_resources(struct aml *aml, const struct hw_device *device)
{
	uint8_t bytes[64];
	struct aml resources = {.bytes = bytes, .size = sizeof(bytes)};

	if (device->space == HW_PIO)
		aml_resource_io(&resources, (uint16_t)device->base, (uint8_t)device->size);
	else
		aml_resource_memory32(&resources, (uint32_t)device->base, (uint32_t)device->size);
	if (device->irq >= 0)
		aml_resource_interrupt(&resources, (uint32_t)device->irq);
	if (!strcmp(device->compatible, PCI_HOST)) {
		aml_resource_bus_numbers(&resources, 0, 1);
		aml_resource_window32(&resources, PCI_MMIO_BASE, PCI_MMIO_SIZE);
	}
	aml_resource_end(&resources);
	aml_name(aml, "_CRS");
	aml_buffer(aml, bytes, resources.len);
}

/* Names a device and leaves it open. */
static size_t open_device(struct aml *aml, const char *name, const char *hid)
{
	size_t mark = aml_open_device(aml, name);

	aml_name(aml, "_HID");
	if (!strncmp(hid, "PNP", 3))
		aml_eisa_id(aml, hid); /* three letters only: what else there is must be a string */
	else
		aml_string(aml, hid);
	return mark;
}

static void write_device(
	struct aml *aml, const struct hw_device *device, const char *prefix, const char *hid, unsigned index)
{
	char name[] = {prefix[0], prefix[1], prefix[2], digits[index]};
	size_t mark = open_device(aml, name, hid);

	aml_name(aml, "_UID");
	aml_integer(aml, index);
	write_resources(aml, device);
	aml_close(aml, mark);
}

static void write_devices(struct aml *aml, const struct acpi_config *config)
{
	unsigned kind, i;

	for (kind = 0; kind < ARRAY_SIZE(identities); kind++) {
		unsigned index = 0;

		for (i = 0; i < config->device_count; i++) {
			const struct hw_device *device = &config->devices[i];

			if (!device->compatible ||
				strcmp(device->compatible, identities[kind].compatible) != 0)
				continue;
			if (index == sizeof(digits) - 1) {
				aml->full = true;
				return;
			}
			write_device(aml, device, identities[kind].name, identities[kind].hid, index++);
		}
	}
}

/*
 * A control method power button (ACPI 6.4, 4.8.2.2), and the generic event device (5.6.9) that takes its
 * interrupt. There is one interrupt, so _EVT need not look at its argument.
 */
static void write_power_button(struct aml *aml, const struct hw_device *button)
{
	uint8_t bytes[16];
	struct aml resources = {.bytes = bytes, .size = sizeof(bytes)};
	size_t device, method;

	device = open_device(aml, "PWR0", "PNP0C0C");
	aml_close(aml, device);
	device = open_device(aml, "GED0", "ACPI0013");
	aml_resource_interrupt(&resources, (uint32_t)button->irq);
	aml_resource_end(&resources);
	aml_name(aml, "_CRS");
	aml_buffer(aml, bytes, resources.len);
	method = aml_open_method(aml, "_EVT", 1);
	aml_notify(aml, "PWR0", BUTTON_PRESSED);
	aml_close(aml, method);
	aml_close(aml, device);
}

/* \_S5 (ACPI 6.4, 7.4.2): what to write to the sleep control register; the second value is PM1b's. */
static void write_sleep_states(struct aml *aml)
{
	size_t mark;

	aml_name(aml, "_S5_");
	mark = aml_open_package(aml, 4);
	aml_integer(aml, SLEEP_TYPE_S5);
	aml_integer(aml, SLEEP_TYPE_S5);
	aml_integer(aml, 0);
	aml_integer(aml, 0);
	aml_close(aml, mark);
}

static uint64_t build_dsdt(const struct acpi_config *config, struct area *area)
{
	const struct hw_device *button = find(config, "lodge,power-button");
	struct header *header = take(area, sizeof(*header));
	struct aml aml;
	size_t mark;

	if (!header)
		return 0;
	aml = (struct aml){.bytes = (uint8_t *)(header + 1), .size = area->size - area->used};
	if (find(config, "lodge,acpi-sleep"))
		write_sleep_states(&aml);
	mark = aml_open_scope(&aml, "_SB_");
	write_devices(&aml, config);
	if (button)
		write_power_button(&aml, button);
	aml_close(&aml, mark);
	area->full = aml.full;
	area->used += aml.len;
	return seal(area, header, "DSDT", 2, sizeof(*header) + aml.len);
}

static struct gas port(uint64_t address_of)
{
	return (struct gas){
		.space = GAS_SYSTEM_IO, .bit_width = 8, .access = GAS_BYTE_ACCESS, .address = address_of};
}

static uint64_t build_fadt(const struct acpi_config *config, struct area *area, uint64_t dsdt)
{
	const struct hw_device *sleep = find(config, "lodge,acpi-sleep");
	const struct hw_device *reset = find(config, "lodge,reset-control");
	struct fadt *fadt = take(area, sizeof(*fadt));

	if (!fadt)
		return 0;
	fadt->dsdt = (uint32_t)dsdt; /* for readers older than x_dsdt */
	fadt->x_dsdt = dsdt;
	fadt->minor_version = 4;
	fadt->flags = FADT_WBINVD | FADT_PROC_C1 | FADT_PWR_BUTTON | FADT_SLP_BUTTON | FADT_FIX_RTC |
	              FADT_HEADLESS | FADT_HW_REDUCED;
	fadt->boot_flags = BOOT_LEGACY_DEVICES | BOOT_NO_VGA;
	if (find(config, "motorola,mc146818"))
		fadt->century = CMOS_CENTURY;
	else
		fadt->boot_flags |= BOOT_NO_CMOS_RTC;
	if (sleep) {
		fadt->sleep_control = port(sleep->base);
		fadt->sleep_status = port(sleep->base + 1);
	}
	if (reset) {
		fadt->flags |= FADT_RESET_REG;
		fadt->reset_register = port(reset->base);
		fadt->reset_value = RESET_VALUE;
	}
	memcpy(fadt->hypervisor, "LODGE", sizeof("LODGE"));
	return seal(area, &fadt->header, "FACP", 6, sizeof(*fadt));
}

/* No interrupt source overrides: every ISA line has the pin of its number, and ISA's edges are the default. */
static uint64_t build_madt(const struct acpi_config *config, struct area *area)
{
	size_t size = sizeof(struct madt) + config->cpus * sizeof(struct madt_lapic) +
	              sizeof(struct madt_ioapic) + sizeof(struct madt_lapic_nmi);
	struct madt *madt = take(area, size);
	struct madt_lapic *lapic;
	struct madt_ioapic *ioapic;
	unsigned i;

	if (!madt)
		return 0;
	madt->lapic_base = LAPIC_BASE;
	madt->flags = config->pic ? MADT_PCAT_COMPAT : 0;
	lapic = (struct madt_lapic *)(madt + 1);
	for (i = 0; i < config->cpus; i++, lapic++) {
		*lapic = (struct madt_lapic){
			.type = MADT_LAPIC,
			.length = sizeof(*lapic),
			.uid = (uint8_t)i,
			.apic_id = (uint8_t)i,
			.flags = MADT_ENABLED,
		};
	}
	ioapic = (struct madt_ioapic *)lapic;
	*ioapic = (struct madt_ioapic){
		.type = MADT_IOAPIC, .length = sizeof(*ioapic), .id = IOAPIC_ID, .base = IOAPIC_BASE};
	*(struct madt_lapic_nmi *)(ioapic + 1) = (struct madt_lapic_nmi){.type = MADT_LAPIC_NMI,
		.length = sizeof(struct madt_lapic_nmi),
		.uid = MADT_ALL_CPUS,
		.lint = 1};
	return seal(area, &madt->header, "APIC", 5, size);
}

static uint64_t build_xsdt(struct area *area, uint64_t fadt, uint64_t madt)
{
	const uint64_t tables[] = {fadt, madt};
	struct header *header = take(area, sizeof(*header) + sizeof(tables));

	if (!header)
		return 0;
	memcpy(header + 1, tables, sizeof(tables));
	return seal(area, header, "XSDT", 1, sizeof(*header) + sizeof(tables));
}

static void build_rsdp(struct rsdp *rsdp, uint64_t xsdt)
{
	memcpy(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature));
	memcpy(rsdp->oem_id, "LODGE ", sizeof(rsdp->oem_id));
	rsdp->revision = 2;
	rsdp->length = sizeof(*rsdp);
	rsdp->xsdt = xsdt;
	rsdp->checksum = checksum(rsdp, offsetof(struct rsdp, length));
	rsdp->extended_checksum = checksum(rsdp, sizeof(*rsdp));
}

int acpi_build(const struct acpi_config *config, void *buf, size_t size, uint64_t gpa)
{
	struct area area = {.bytes = buf, .size = size, .gpa = gpa};
	struct rsdp *rsdp = take(&area, sizeof(*rsdp));
	uint64_t dsdt = build_dsdt(config, &area);
	uint64_t fadt = build_fadt(config, &area, dsdt);
	uint64_t madt = build_madt(config, &area);
	uint64_t xsdt = build_xsdt(&area, fadt, madt);

	if (!rsdp || area.full)
		return -ENOSPC;
	build_rsdp(rsdp, xsdt);
	return 0;
}
