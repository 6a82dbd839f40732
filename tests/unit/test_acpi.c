/* The ACPI tables, read back as a kernel reads them: from the RSDP on, by the offsets of the specification. */
#include "suites.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/bytes.h"
#include "x86/acpi.h"
#include "x86/fdt.h"
#include "x86/layout.h"

#define BASE 0xe0000u

static const struct hw_device devices[] = {
	{"serial", "ns16550a", HW_PIO, 0x3f8, 8, 4},
	{"keyboard", "intel,i8042", HW_PIO, 0x60, 1, 1},
	{"keyboard", NULL, HW_PIO, 0x64, 1, -1},
	{"rtc", "motorola,mc146818", HW_PIO, 0x70, 2, -1},
	{"pvpanic", "qemu,pvpanic", HW_PIO, 0x505, 1, -1},
	{"power", "lodge,acpi-sleep", HW_PIO, 0x600, 2, -1},
	{"reset", "lodge,reset-control", HW_PIO, 0xcf9, 1, -1},
	{"pci-host", "lodge,pci-host", HW_PIO, 0xcf8, 8, -1},
	{"virtio_mmio", "virtio,mmio", HW_MMIO, 0xd0000000, 0x200, 16},
	{"virtio_mmio", "virtio,mmio", HW_MMIO, 0xd0001000, 0x200, 17},
	{"power-button", "lodge,power-button", HW_LINE, 0, 0, 9},
};

static struct acpi_config config;
static uint8_t memory[ACPI_SIZE];

static void setup(void)
{
	config = (struct acpi_config){
		.devices = devices, .device_count = ARRAY_SIZE(devices), .cpus = 3, .pic = true};
	memset(memory, 0xee, sizeof(memory)); /* what is there before counts for nothing */
}

static void build(void)
{
	ck_assert_int_eq(acpi_build(&config, memory, sizeof(memory), BASE), 0);
}

static uint8_t sum(const uint8_t *bytes, size_t len)
{
	uint8_t value = 0;

	while (len--)
		value = (uint8_t)(value + *bytes++);
	return value;
}

static uint32_t get(const uint8_t *table, unsigned offset, unsigned size)
{
	return (uint32_t)load_le(table + offset, size);
}

/* The table at a guest address: sound, and what it is meant to be. */
static const uint8_t *table_at(uint64_t gpa, const char *signature, unsigned revision)
{
	const uint8_t *table;
	uint32_t length;

	ck_assert_uint_ge(gpa, BASE);
	ck_assert_uint_lt(gpa, BASE + sizeof(memory) - 36);
	table = memory + (gpa - BASE);
	length = get(table, 4, 4);
	ck_assert_uint_ge(length, 36);
	ck_assert_uint_le(gpa - BASE + length, sizeof(memory));
	ck_assert_mem_eq(table, signature, 4);
	ck_assert_uint_eq(table[8], revision);
	ck_assert_uint_eq(sum(table, length), 0);
	ck_assert_mem_eq(table + 10, "LODGE LODGE   ", 14);
	ck_assert_mem_eq(table + 28, "LDGE", 4);
	return table;
}

static const uint8_t *xsdt(void)
{
	return table_at(load_le(memory + 24, 8), "XSDT", 1);
}

static const uint8_t *fadt(void)
{
	return table_at(load_le(xsdt() + 36, 8), "FACP", 6);
}

static const uint8_t *madt(void)
{
	return table_at(load_le(xsdt() + 44, 8), "APIC", 5);
}

static const uint8_t *dsdt(void)
{
	return table_at(load_le(fadt() + 140, 8), "DSDT", 2);
}

/* Where the bytes of text stand in the DSDT's AML, or NULL. */
static const uint8_t *in_dsdt(const void *bytes, size_t len)
{
	return memmem(dsdt() + 36, get(dsdt(), 4, 4) - 36, bytes, len);
}

START_TEST(rsdp_leads_to_the_tables)
{
	build();
	ck_assert_mem_eq(memory, "RSD PTR ", 8);
	ck_assert_uint_eq(sum(memory, 20), 0);
	ck_assert_uint_eq(sum(memory, 36), 0);
	ck_assert_mem_eq(memory + 9, "LODGE ", 6);
	ck_assert_uint_eq(memory[15], 2);
	ck_assert_uint_eq(get(memory, 16, 4), 0); /* no RSDT */
	ck_assert_uint_eq(get(memory, 20, 4), 36);
	ck_assert_uint_eq(get(xsdt(), 4, 4), 36 + 2 * 8);
}
END_TEST

START_TEST(fadt_is_hardware_reduced_with_sleep_and_reset)
{
	/* A generic address: system I/O, 8 bits wide, byte access. */
	static const uint8_t io_gas[] = {1, 8, 0, 1};

	build();
	ck_assert_uint_eq(get(fadt(), 4, 4), 276);
	ck_assert_uint_eq(fadt()[131], 4);
	/* WBINVD, PROC_C1, no fixed buttons, no fixed RTC, reset register, headless, hardware-reduced */
	ck_assert_uint_eq(
		get(fadt(), 112, 4), 1 | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 10 | 1 << 12 | 1 << 20);
	ck_assert_uint_eq(get(fadt(), 36, 4), 0); /* no FACS */
	ck_assert_uint_eq(get(fadt(), 40, 4), load_le(fadt() + 140, 8));
	ck_assert_uint_eq(fadt()[108], 0x32);
	/* Legacy devices, no VGA; no 8042, and a CMOS clock. MSI is not said to be missing. */
	ck_assert_uint_eq(get(fadt(), 109, 2), 1 | 1 << 2);
	ck_assert_mem_eq(fadt() + 116, io_gas, 4);
	ck_assert_uint_eq(load_le(fadt() + 120, 8), 0xcf9);
	ck_assert_uint_eq(fadt()[128], 6);
	ck_assert_mem_eq(fadt() + 244, io_gas, 4);
	ck_assert_uint_eq(load_le(fadt() + 248, 8), 0x600);
	ck_assert_mem_eq(fadt() + 256, io_gas, 4);
	ck_assert_uint_eq(load_le(fadt() + 260, 8), 0x601);
	ck_assert_str_eq((const char *)fadt() + 268, "LODGE");
	/* No fixed hardware: SCI to MON_ALRM, and their extended addresses. */
	for (unsigned i = 46; i < 108; i++)
		ck_assert_uint_eq(fadt()[i], 0);
	for (unsigned i = 148; i < 244; i++)
		ck_assert_uint_eq(fadt()[i], 0);
}
END_TEST

START_TEST(fadt_leaves_out_what_is_not_there)
{
	config.device_count = 1;
	build();
	ck_assert_uint_eq(get(fadt(), 112, 4) & 1 << 10, 0);
	ck_assert_uint_eq(load_le(fadt() + 120, 8), 0);
	ck_assert_uint_eq(load_le(fadt() + 248, 8), 0);
	ck_assert_uint_eq(fadt()[108], 0);
	ck_assert_uint_eq(get(fadt(), 109, 2), 1 | 1 << 2 | 1 << 5); /* and no CMOS clock */
	ck_assert_ptr_null(in_dsdt("_S5_", 4));
	ck_assert_ptr_null(in_dsdt("LNRO0005", 8));
}
END_TEST

START_TEST(madt_tells_of_the_8259s_where_there_are_some)
{
	build();
	ck_assert_uint_eq(get(madt(), 40, 4), 1);
	config.pic = false;
	build();
	ck_assert_uint_eq(get(madt(), 40, 4), 0);
}
END_TEST

START_TEST(madt_lists_every_cpu_and_the_ioapic)
{
	static const uint8_t nmi[] = {4, 6, 0xff, 0, 0, 1};
	const uint8_t *entry;

	config.cpus = (unsigned)_i;
	build();
	ck_assert_uint_eq(get(madt(), 36, 4), 0xfee00000);
	ck_assert_uint_eq(get(madt(), 4, 4), 44 + 8 * config.cpus + 12 + 6);
	entry = madt() + 44;
	for (unsigned i = 0; i < config.cpus; i++, entry += 8) {
		const uint8_t lapic[] = {0, 8, (uint8_t)i, (uint8_t)i, 1, 0, 0, 0};

		ck_assert_mem_eq(entry, lapic, 8);
	}
	ck_assert_uint_eq(entry[0], 1);
	ck_assert_uint_eq(entry[1], 12);
	ck_assert_uint_eq(entry[2], 0);
	ck_assert_uint_eq(get(entry, 4, 4), 0xfec00000);
	ck_assert_uint_eq(get(entry, 8, 4), 0);
	ck_assert_mem_eq(entry + 12, nmi, sizeof(nmi));
}
END_TEST

START_TEST(dsdt_says_how_to_power_off)
{
	/* Name (_S5_, Package (4) {5, 5, 0, 0}) */
	static const uint8_t s5[] = {8, '_', 'S', '5', '_', 0x12, 8, 4, 0x0a, 5, 0x0a, 5, 0, 0};

	build();
	ck_assert_ptr_eq(in_dsdt(s5, sizeof(s5)), dsdt() + 36);
}
END_TEST

START_TEST(dsdt_has_the_serial_port)
{
	/* Device (COM0) { Name (_HID, EisaId ("PNP0501")) Name (_UID, 0) Name (_CRS, Buffer (19) {...}) } */
	static const uint8_t com[] = {0x5b, 0x82, 49, 'C', 'O', 'M', '0', 8, '_', 'H', 'I', 'D', 0x0c, 0x41,
		0xd0, 5, 1, 8, '_', 'U', 'I', 'D', 0, 8, '_', 'C', 'R', 'S', 0x11, 22, 0x0a, 19,
		/* IO (Decode16, 0x3f8, 0x3f8, 1, 8) */
		0x47, 1, 0xf8, 3, 0xf8, 3, 1, 8,
		/* Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) {4} */
		0x89, 6, 0, 3, 1, 4, 0, 0, 0, 0x79, 0};

	build();
	ck_assert_uint_eq(sizeof(com) - 2, com[2]);
	ck_assert_ptr_nonnull(in_dsdt(com, sizeof(com)));
}
END_TEST

START_TEST(dsdt_has_every_virtio_device)
{
	uint8_t crs[] = {0x86, 9, 0, 1, 0, 0, 0, 0xd0, 0, 2, 0, 0, 0x89, 6, 0, 3, 1, 16, 0, 0, 0, 0x79, 0};

	build();
	for (unsigned i = 0; i < 2; i++) {
		/* Device (VIOn) { Name (_HID, "LNRO0005") Name (_UID, n) */
		uint8_t device[] = {'V', 'I', 'O', (uint8_t)('0' + i), 8, '_', 'H', 'I', 'D', 0x0d, 'L', 'N',
			'R', 'O', '0', '0', '0', '5', 0, 8, '_', 'U', 'I', 'D', (uint8_t)i};

		crs[5] = (uint8_t)(i << 4);
		crs[17] = (uint8_t)(16 + i);
		ck_assert_ptr_nonnull(in_dsdt(device, sizeof(device)));
		ck_assert_ptr_nonnull(in_dsdt(crs, sizeof(crs)));
		ck_assert(in_dsdt(crs, sizeof(crs)) > in_dsdt(device, sizeof(device)));
	}
	ck_assert_ptr_null(in_dsdt("VIO2", 4));
}
END_TEST

START_TEST(dsdt_has_the_clock_and_pvpanic_without_interrupts)
{
	static const uint8_t rtc[] = {0x0c, 0x41, 0xd0, 0x0b, 0};
	static const uint8_t rtc_crs[] = {0x47, 1, 0x70, 0, 0x70, 0, 1, 2, 0x79, 0};
	static const uint8_t panic_crs[] = {0x47, 1, 5, 5, 5, 5, 1, 1, 0x79, 0};

	build();
	ck_assert_ptr_nonnull(in_dsdt(rtc, sizeof(rtc)));
	ck_assert_ptr_nonnull(in_dsdt(rtc_crs, sizeof(rtc_crs)));
	ck_assert_ptr_nonnull(in_dsdt("QEMU0001", 9));
	ck_assert_ptr_nonnull(in_dsdt(panic_crs, sizeof(panic_crs)));
}
END_TEST

START_TEST(dsdt_has_the_power_button_where_there_is_one)
{
	/*
	 * Device (PWR0) { Name (_HID, EisaId ("PNP0C0C")) }
	 * Device (GED0) { Name (_HID, "ACPI0013") Name (_CRS, Interrupt (ResourceConsumer, Edge, ActiveHigh) {9})
	 *                 Method (_EVT, 1, Serialized) { Notify (PWR0, 0x80) } }
	 */
	static const uint8_t button[] = {0x5b, 0x82, 15, 'P', 'W', 'R', '0', 8, '_', 'H', 'I', 'D', 0x0c,
		0x41, 0xd0, 0x0c, 0x0c, 0x5b, 0x82, 54, 'G', 'E', 'D', '0', 8, '_', 'H', 'I', 'D', 0x0d, 'A',
		'C', 'P', 'I', '0', '0', '1', '3', 0, 8, '_', 'C', 'R', 'S', 0x11, 14, 0x0a, 11, 0x89, 6, 0,
		3, 1, 9, 0, 0, 0, 0x79, 0, 0x14, 13, '_', 'E', 'V', 'T', 9, 0x86, 'P', 'W', 'R', '0', 0x0a,
		0x80};

	build();
	ck_assert_ptr_nonnull(in_dsdt(button, sizeof(button)));
	config.device_count--;
	build();
	ck_assert_ptr_null(in_dsdt("ACPI0013", 8));
}
END_TEST

START_TEST(dsdt_has_the_pci_host_bridge_where_there_is_one)
{
	/* Device (PCI0) { Name (_HID, EisaId ("PNP0A03")) Name (_UID, 0) Name (_CRS, Buffer (52) {...}) } */
	static const uint8_t pci[] = {0x5b, 0x82, 0x43, 5, 'P', 'C', 'I', '0', 8, '_', 'H', 'I', 'D', 0x0c,
		0x41, 0xd0, 0x0a, 3, 8, '_', 'U', 'I', 'D', 0, 8, '_', 'C', 'R', 'S', 0x11, 55, 0x0a, 52,
		/* IO (Decode16, 0xcf8, 0xcf8, 1, 8) */
		0x47, 1, 0xf8, 0x0c, 0xf8, 0x0c, 1, 8,
		/* WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0, 0, 0, 1) */
		0x88, 13, 0, 2, 0x0c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
		/* DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite, ...) */
		0x87, 23, 0, 0, 0x0c, 1, 0, 0, 0, 0, 0, 0, 0, 0xe0, 0xff, 0xff, 0x0f, 0xe0, 0, 0, 0, 0, 0, 0,
		0x10, 0, 0x79, 0};

	build();
	ck_assert_uint_eq(sizeof(pci) - 2, 5 << 4 | 3);
	ck_assert_ptr_nonnull(in_dsdt(pci, sizeof(pci)));
	ck_assert_ptr_null(in_dsdt("PCI1", 4));
	config.device_count = 7; /* without it, and what follows */
	build();
	ck_assert_ptr_null(in_dsdt("PCI0", 4));
}
END_TEST

/* Everything at once: 64 CPUs and a full board. */
static void use_full_machine(struct hw_device *all)
{
	for (unsigned i = 0; i < 25; i++) {
		all[i] = i < 8 ? devices[i]
		               : (struct hw_device){"virtio_mmio", "virtio,mmio", HW_MMIO,
					 VIRTIO_MMIO_BASE + i * 0x1000, 0x200, (int)i};
	}
	config = (struct acpi_config){.devices = all, .device_count = 25, .cpus = CPUS_MAX};
}

START_TEST(largest_machine_fits_and_a_small_buffer_is_refused)
{
	struct hw_device all[25];
	uint8_t small[ACPI_SIZE + 1];
	size_t size, needed = 0;

	use_full_machine(all);
	build();
	ck_assert_ptr_nonnull(in_dsdt("VIOG", 4));
	ck_assert_ptr_null(in_dsdt("VIOH", 4));
	for (size = 0; size <= ACPI_SIZE; size++) {
		small[size] = 0x5a;
		if (!acpi_build(&config, small, size, BASE)) {
			needed = size;
			break;
		}
		ck_assert_int_eq(acpi_build(&config, small, size, BASE), -ENOSPC);
		ck_assert_uint_eq(small[size], 0x5a);
	}
	ck_assert_uint_gt(needed, 1000);
	ck_assert_uint_le(needed, ACPI_SIZE);
	ck_assert_mem_eq(small, memory, needed);
}
END_TEST

START_TEST(more_devices_of_a_kind_than_names_are_refused)
{
	struct hw_device many[37];

	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = devices[0];
	config = (struct acpi_config){.devices = many, .device_count = 36, .cpus = 1};
	build();
	ck_assert_ptr_nonnull(in_dsdt("COMZ", 4));
	config.device_count = 37;
	ck_assert_int_eq(acpi_build(&config, memory, sizeof(memory), BASE), -ENOSPC);
}
END_TEST

/* Intel's own compiler as the second reader. */
static void disassemble(const char *dir, const char *name, const uint8_t *table)
{
	char command[256];
	FILE *file;
	int status;

	snprintf(command, sizeof(command), "%s/%s.dat", dir, name);
	file = fopen(command, "wb");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(table, get(table, 4, 4), 1, file), 1);
	fclose(file);
	snprintf(command, sizeof(command),
		"cd %s && iasl -d %s.dat >out 2>&1 && ! grep -Eiw 'error|warning|invalid|unknown' out %s.dsl",
		dir, name, name);
	status = system(command);
	ck_assert_msg(status == 0, "iasl does not like %s: see %s", name, dir);
}

START_TEST(iasl_reads_the_tables)
{
	char dir[] = "/tmp/lodge-acpi-XXXXXX", command[320];
	struct hw_device all[25];

	if (access("/usr/bin/iasl", X_OK)) {
		printf("SKIPPED: iasl_reads_the_tables: iasl is not installed (acpica-tools)\n");
		return;
	}
	ck_assert_ptr_nonnull(mkdtemp(dir));
	use_full_machine(all);
	build();
	disassemble(dir, "fadt", fadt());
	disassemble(dir, "madt", madt());
	disassemble(dir, "dsdt", dsdt());
	/* What it has read compiles again, to the same bytes. */
	snprintf(command, sizeof(command),
		"cd %s && iasl -oa -p again dsdt.dsl >out 2>&1 && grep -q ' 0 Errors' out && "
		"tail -c +37 again.aml >a && tail -c +37 dsdt.dat >b && cmp a b",
		dir);
	ck_assert_msg(system(command) == 0, "iasl makes something else of the DSDT: see %s", dir);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

Suite *acpi_suite(void)
{
	Suite *suite = suite_create("x86/acpi");
	TCase *tcase = tcase_create("tables");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, rsdp_leads_to_the_tables);
	tcase_add_test(tcase, fadt_is_hardware_reduced_with_sleep_and_reset);
	tcase_add_test(tcase, fadt_leaves_out_what_is_not_there);
	tcase_add_test(tcase, madt_tells_of_the_8259s_where_there_are_some);
	tcase_add_loop_test(tcase, madt_lists_every_cpu_and_the_ioapic, 1, CPUS_MAX + 1);
	tcase_add_test(tcase, dsdt_says_how_to_power_off);
	tcase_add_test(tcase, dsdt_has_the_serial_port);
	tcase_add_test(tcase, dsdt_has_every_virtio_device);
	tcase_add_test(tcase, dsdt_has_the_clock_and_pvpanic_without_interrupts);
	tcase_add_test(tcase, dsdt_has_the_power_button_where_there_is_one);
	tcase_add_test(tcase, dsdt_has_the_pci_host_bridge_where_there_is_one);
	tcase_add_test(tcase, largest_machine_fits_and_a_small_buffer_is_refused);
	tcase_add_test(tcase, more_devices_of_a_kind_than_names_are_refused);
	tcase_add_test(tcase, iasl_reads_the_tables);
	return suite;
}
