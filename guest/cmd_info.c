/* The info and mem commands: what is known of the machine. */
#include "clock.h"
#include "commands.h"
#include "console.h"
#include "dump.h"
#include "hw.h"
#include "map.h"
#include "pci.h"
#include "smp.h"
#include "str.h"
#include "trap.h"
#include "x86.h"

#define DUMP_MAX   65536ul
#define DUMP_PIECE 256ul

static void print_cpu(void)
{
	union {
		struct cpuid_regs r;
		char text[16];
	} part;
	char vendor[13] = "", hypervisor[13] = "";

	part.r = cpuid(0);
	memcpy(vendor, &part.r.ebx, 4);
	memcpy(vendor + 4, &part.r.edx, 4);
	memcpy(vendor + 8, &part.r.ecx, 4);
	if (cpuid(1).ecx & 1u << 31) {
		part.r = cpuid(0x40000000);
		memcpy(hypervisor, &part.r.ebx, 12);
	}
	print("cpu      %s, on hypervisor \"%s\"", vendor, hypervisor);
	if (cpuid(0x80000000).eax >= 0x80000004) {
		char brand[49] = "";

		for (uint32_t i = 0; i < 3; i++) {
			part.r = cpuid(0x80000002 + i);
			memcpy(brand + 16ul * i, part.text, 16);
		}
		print(", %s", brand);
	}
	print("\ntsc      %lu kHz (%s)\n", clock_hz() / 1000, clock_source());
}

static const char *range_type(uint32_t type)
{
	static const char *const names[] = {"?", "RAM", "reserved", "ACPI data", "ACPI NVS", "unusable"};

	return names[type < sizeof(names) / sizeof(names[0]) ? type : 0];
}

static void print_memory(void)
{
	print("memory   %lu KiB of RAM (%s)\n", hw_ram_size() / 1024, hw_source_name(hw.memory_source));
	for (unsigned i = 0; i < hw.memory_count; i++)
		print("  %012lx-%012lx %s\n", hw.memory[i].base, hw.memory[i].base + hw.memory[i].size - 1,
			range_type(hw.memory[i].type));
	if (hw.fdt_memory != 0)
		print("  the FDT says %lu KiB (%s)\n", hw.fdt_memory / 1024, hw_source_name(hw.fdt_source));
	if (hw.initrd_size != 0)
		print("initrd   %lx, %lu bytes (PVH start_info)\n", hw.initrd_base, hw.initrd_size);
}

static void print_device(const struct hw_device *d)
{
	print("  %-28s", d->name);
	if (d->size != 0)
		print(" %s %lx+%lx", d->is_pio ? "port" : "mmio", d->base, d->size);
	else
		print(" no memory");
	if (d->irq >= 0)
		print(", irq %d %s", d->irq, d->irq_level ? "level" : "edge");
	print("%s (%s", d->kind == HW_OTHER ? ", no driver" : "", hw_source_name(d->source));
	if (d->pci != 0) {
		uint32_t id = pci_read32(d->pci, PCI_ID);

		print(" 00:%02x.0, %04x:%04x", pci_device_number(d->pci), id & 0xffff, id >> 16);
	}
	print(")\n");
}

int command_info(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	print("board    %s (%s)\n", hw.board == NULL ? "unknown" : hw.board, hw_source_name(hw.fdt_source));
	print("cmdline  \"%s\" (%s)\n", hw.cmdline, hw_source_name(hw.cmdline_source));
	print("cpus     %u, %u of them in use (%s)\n", hw.cpus, smp_wait(), hw_source_name(hw.cpus_source));
	print_cpu();
	print_memory();
	print("devices\n");
	for (unsigned i = 0; i < hw.device_count; i++)
		print_device(&hw.devices[i]);
	print("stray interrupts: %lu\n", trap_stray_count());
	return 0;
}

int command_cpus(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	unsigned alive = smp_wait();

	for (uint32_t id = 0; id < SMP_CPUS_MAX; id++) {
		if (!smp_cpus[id].alive)
			continue;
		if (id == smp_boot_id()) {
			print("cpu      apic id %u, the boot CPU\n", id);
			continue;
		}
		bool answers = smp_ping(id);

		print("cpu      apic id %u, %s, %lu pings\n", id, answers ? "alive" : "DOES NOT ANSWER",
			smp_cpus[id].pings);
		if (!answers)
			alive--;
	}
	print("cpus: %u of %u in use\n", alive, hw.cpus);
	return alive == hw.cpus ? 0 : 1;
}

struct copy {
	uint64_t addr;
	size_t len;
	uint8_t bytes[DUMP_PIECE];
};

static void copy_in(void *arg)
{
	struct copy *copy = arg;

	memcpy(copy->bytes, map_window(copy->addr), copy->len);
}

int command_mem(int argc, char **argv)
{
	static struct copy copy;
	uint64_t addr, len = 64;

	if (argc < 3 || argc > 4 || strcmp(argv[1], "read") != 0 || !str_to_u64(argv[2], &addr) ||
		(argc == 4 && !str_to_u64(argv[3], &len)))
		return shell_usage("mem");
	if (len > DUMP_MAX || addr + len < addr) {
		print("mem: at most %lu bytes\n", DUMP_MAX);
		return 1;
	}
	while (len > 0) {
		/* Pieces end at multiples of their size, so none straddles a page. */
		uint64_t piece = DUMP_PIECE - addr % DUMP_PIECE;

		copy.addr = addr;
		copy.len = len < piece ? len : piece;
		if (trap_try(copy_in, &copy) >= 0) {
			print("mem: %lx is not mapped\n", addr);
			return 1;
		}
		dump_bytes(addr, copy.bytes, copy.len);
		addr += copy.len;
		len -= copy.len;
	}
	return 0;
}
