/* The device tree, read back with libfdt. */
#include "suites.h"

#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "util/bytes.h"
#include "x86/fdt.h"
#include "x86/layout.h"

static const struct hw_device devices[] = {
	{"serial", "ns16550a", HW_PIO, 0x3f8, 8, 4},
	{"keyboard", "intel,i8042", HW_PIO, 0x60, 1, 1},
	{"keyboard", NULL, HW_PIO, 0x64, 1, -1},
	{"reset", "lodge,reset-control", HW_PIO, 0xcf9, 1, -1},
	{"virtio_mmio", "virtio,mmio", HW_MMIO, 0xd0000000, 0x200, 16},
	{"virtio_mmio", "virtio,mmio", HW_MMIO, 0xd0001000, 0x200, 17},
	{"pci-host", "lodge,pci-host", HW_PIO, 0xcf8, 8, -1},
	{"pci-window", NULL, HW_MMIO, 0xe0000000, 0x100000, -1},
};

static const struct hw_range memory[] = {{0, HOLE_BASE}, {HOLE_END, GIB(5)}};

static struct fdt_config config;
static char fdt[BOOT_FDT_SIZE];
static size_t fdt_len;

static void setup(void)
{
	config = (struct fdt_config){
		.devices = devices,
		.device_count = ARRAY_SIZE(devices),
		.memory = memory,
		.memory_count = 2,
		.cpus = 3,
		.bootargs = "run=selftest; a \"quoted\" word",
		.stdout_path = "/isa/serial@i3f8",
		.initrd_base = 0x123456000,
		.initrd_size = 0x789,
	};
}

static void build(void)
{
	ck_assert_int_eq(fdt_build(&config, fdt, sizeof(fdt), &fdt_len), 0);
	ck_assert_int_eq(fdt_check_full(fdt, fdt_len), 0);
	ck_assert_uint_eq(fdt_totalsize(fdt), fdt_len);
}

static int node_at(const char *path)
{
	int node = fdt_path_offset(fdt, path);

	ck_assert_msg(node >= 0, "no node %s", path);
	return node;
}

static void expect_string(const char *path, const char *name, const char *value)
{
	int len;
	const char *found = fdt_getprop(fdt, node_at(path), name, &len);

	ck_assert_msg(found, "%s has no %s", path, name);
	ck_assert_str_eq(found, value);
	ck_assert_int_eq(len, (int)strlen(value) + 1);
}

static void expect_cells(const char *path, const char *name, const uint32_t *cells, unsigned count)
{
	int len;
	const fdt32_t *found = fdt_getprop(fdt, node_at(path), name, &len);

	ck_assert_msg(found, "%s has no %s", path, name);
	ck_assert_int_eq(len, (int)(count * sizeof(*cells)));
	for (unsigned i = 0; i < count; i++)
		ck_assert_uint_eq(fdt32_to_cpu(found[i]), cells[i]);
}

#define EXPECT_CELLS(path, name, ...) \
	expect_cells(                 \
		path, name, (const uint32_t[]){__VA_ARGS__}, ARRAY_SIZE(((const uint32_t[]){__VA_ARGS__})))

static void expect_none(const char *path, const char *name)
{
	ck_assert_ptr_null(fdt_getprop(fdt, node_at(path), name, NULL));
}

static unsigned count_children(const char *path)
{
	unsigned count = 0;
	int node;

	fdt_for_each_subnode(node, fdt, node_at(path)) count++;
	return count;
}

START_TEST(root_says_how_to_read_it)
{
	build();
	expect_string("/", "compatible", "lodge");
	ck_assert_int_eq(fdt_address_cells(fdt, 0), 2);
	ck_assert_int_eq(fdt_size_cells(fdt, 0), 2);
}
END_TEST

START_TEST(chosen_has_the_command_line_and_the_console)
{
	build();
	expect_string("/chosen", "bootargs", config.bootargs);
	expect_string("/chosen", "stdout-path", "/isa/serial@i3f8");
	node_at("/isa/serial@i3f8");
	config.bootargs = "";
	config.stdout_path = NULL;
	build();
	expect_string("/chosen", "bootargs", "");
	expect_none("/chosen", "stdout-path");
}
END_TEST

START_TEST(initrd_is_given_as_start_and_end)
{
	build();
	EXPECT_CELLS("/chosen", "linux,initrd-start", 1, 0x23456000);
	EXPECT_CELLS("/chosen", "linux,initrd-end", 1, 0x23456789);
	config.initrd_size = 0;
	build();
	expect_none("/chosen", "linux,initrd-start");
	expect_none("/chosen", "linux,initrd-end");
}
END_TEST

START_TEST(each_cpu_has_a_node_with_its_apic_id)
{
	static const unsigned counts[] = {1, 3, 64};
	char path[32];

	config.cpus = counts[_i];
	build();
	ck_assert_uint_eq(count_children("/cpus"), config.cpus);
	for (unsigned i = 0; i < config.cpus; i++) {
		snprintf(path, sizeof(path), "/cpus/cpu@%x", i);
		expect_string(path, "device_type", "cpu");
		EXPECT_CELLS(path, "reg", i);
	}
	ck_assert_int_eq(fdt_address_cells(fdt, node_at("/cpus")), 1);
	ck_assert_int_eq(fdt_size_cells(fdt, node_at("/cpus")), 0);
}
END_TEST

START_TEST(each_region_of_memory_has_a_node)
{
	build();
	expect_string("/memory@0", "device_type", "memory");
	EXPECT_CELLS("/memory@0", "reg", 0, 0, 0, 0xc0000000);
	expect_string("/memory@100000000", "device_type", "memory");
	EXPECT_CELLS("/memory@100000000", "reg", 1, 0, 1, 0x40000000);
	config.memory_count = 1;
	build();
	ck_assert_int_eq(fdt_path_offset(fdt, "/memory@100000000"), -FDT_ERR_NOTFOUND);
}
END_TEST

START_TEST(interrupt_parent_is_the_ioapic)
{
	const char *path = "/interrupt-controller@fec00000";
	uint32_t phandle;

	build();
	phandle = fdt_get_phandle(fdt, node_at(path));
	ck_assert_uint_ne(phandle, 0);
	EXPECT_CELLS("/", "interrupt-parent", phandle);
	expect_string(path, "compatible", "intel,ce4100-ioapic");
	EXPECT_CELLS(path, "#interrupt-cells", 2);
	EXPECT_CELLS(path, "reg", 0, IOAPIC_BASE, 0, IOAPIC_SIZE);
	ck_assert_ptr_nonnull(fdt_getprop(fdt, node_at(path), "interrupt-controller", NULL));
	expect_string("/lapic@fee00000", "compatible", "intel,ce4100-lapic");
	EXPECT_CELLS("/lapic@fee00000", "reg", 0, LAPIC_BASE, 0, LAPIC_SIZE);
}
END_TEST

START_TEST(isa_device_has_ports_and_an_edge_interrupt)
{
	build();
	expect_string("/isa", "compatible", "isa");
	ck_assert_int_eq(fdt_address_cells(fdt, node_at("/isa")), 2);
	ck_assert_int_eq(fdt_size_cells(fdt, node_at("/isa")), 1);
	ck_assert_ptr_nonnull(fdt_getprop(fdt, node_at("/isa"), "ranges", NULL));
	expect_string("/isa/serial@i3f8", "compatible", "ns16550a");
	EXPECT_CELLS("/isa/serial@i3f8", "reg", 1, 0x3f8, 8);
	EXPECT_CELLS("/isa/serial@i3f8", "interrupts", 4, 3);
}
END_TEST

START_TEST(ranges_of_one_chip_are_one_node)
{
	build();
	ck_assert_uint_eq(count_children("/isa"), 4);
	EXPECT_CELLS("/isa/keyboard@i60", "reg", 1, 0x60, 1, 1, 0x64, 1);
	EXPECT_CELLS("/isa/keyboard@i60", "interrupts", 1, 3);
}
END_TEST

START_TEST(device_without_an_interrupt_names_none)
{
	build();
	EXPECT_CELLS("/isa/reset@icf9", "reg", 1, 0xcf9, 1);
	expect_none("/isa/reset@icf9", "interrupts");
}
END_TEST

/* There is no binding for configuration mechanism #1: a kernel is not to take the node for a bus of another kind. */
START_TEST(pci_host_is_no_more_than_its_ports)
{
	build();
	EXPECT_CELLS("/isa/pci-host@icf8", "reg", 1, 0xcf8, 8);
	expect_none("/isa/pci-host@icf8", "device_type");
}
END_TEST

START_TEST(mmio_device_has_an_edge_interrupt)
{
	build();
	expect_string("/virtio_mmio@d0000000", "compatible", "virtio,mmio");
	EXPECT_CELLS("/virtio_mmio@d0000000", "reg", 0, 0xd0000000, 0, 0x200);
	EXPECT_CELLS("/virtio_mmio@d0000000", "interrupts", 16, 3);
	EXPECT_CELLS("/virtio_mmio@d0001000", "reg", 0, 0xd0001000, 0, 0x200);
	EXPECT_CELLS("/virtio_mmio@d0001000", "interrupts", 17, 3);
}
END_TEST

/* From nothing on, in steps that keep it aligned; the buffer ends where an unmapped page begins. */
START_TEST(too_small_buffer_is_refused_at_every_size)
{
	size_t len = 42, room = sizeof(fdt);
	char *place = mmap(NULL, room + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(place, MAP_FAILED);
	ck_assert_int_eq(mprotect(place + room, 4096, PROT_NONE), 0);
	build();
	for (size_t size = 0; size < fdt_len; size += 8)
		ck_assert_int_eq(fdt_build(&config, place + room - size, size, &len), -ENOSPC);
	ck_assert_uint_eq(len, 42);
}
END_TEST

/* The most there can be: 64 CPUs, the longest command line, all slots. */
START_TEST(largest_machine_fits_its_place)
{
	static char bootargs[BOOT_CMDLINE_SIZE];
	struct hw_device many[24];

	memset(bootargs, 'a', sizeof(bootargs) - 1);
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++) {
		many[i] = devices[5];
		many[i].base += i * 0x1000;
	}
	config.devices = many;
	config.device_count = ARRAY_SIZE(many);
	config.bootargs = bootargs;
	config.cpus = CPUS_MAX;
	build();
	ck_assert_uint_le(fdt_len, BOOT_FDT_SIZE);
	expect_string("/chosen", "bootargs", bootargs);
}
END_TEST

START_TEST(ordinary_tree_touches_the_first_pages_of_its_place_alone)
{
	memset(fdt, 0xa5, sizeof(fdt));
	build();
	for (size_t i = 0x2000; i < sizeof(fdt); i++)
		ck_assert_uint_eq((uint8_t)fdt[i], 0xa5);
}
END_TEST

Suite *fdt_suite(void)
{
	Suite *suite = suite_create("x86/fdt");
	TCase *tcase = tcase_create("fdt");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, root_says_how_to_read_it);
	tcase_add_test(tcase, chosen_has_the_command_line_and_the_console);
	tcase_add_test(tcase, initrd_is_given_as_start_and_end);
	tcase_add_loop_test(tcase, each_cpu_has_a_node_with_its_apic_id, 0, 3);
	tcase_add_test(tcase, each_region_of_memory_has_a_node);
	tcase_add_test(tcase, interrupt_parent_is_the_ioapic);
	tcase_add_test(tcase, isa_device_has_ports_and_an_edge_interrupt);
	tcase_add_test(tcase, ranges_of_one_chip_are_one_node);
	tcase_add_test(tcase, device_without_an_interrupt_names_none);
	tcase_add_test(tcase, pci_host_is_no_more_than_its_ports);
	tcase_add_test(tcase, mmio_device_has_an_edge_interrupt);
	tcase_add_test(tcase, too_small_buffer_is_refused_at_every_size);
	tcase_add_test(tcase, largest_machine_fits_its_place);
	tcase_add_test(tcase, ordinary_tree_touches_the_first_pages_of_its_place_alone);
	return suite;
}
