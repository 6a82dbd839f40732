#include "x86/mptable.h"

#include <errno.h>

#include "util/bytes.h"
#include "x86/checksum.h"
#include "x86/fdt.h"
#include "x86/layout.h"

#define SPEC_1_4 4

/* MP 1.4, table 4-3: entry types. */
enum { ENTRY_CPU = 0, ENTRY_BUS = 1, ENTRY_IOAPIC = 2, ENTRY_IRQ = 3, ENTRY_LINT = 4 };

#define CPU_ENABLED   1u
#define CPU_BOOT      2u
#define CPU_SIGNATURE 0x600u /* family 6; who wants to know more asks CPUID */
#define CPU_FEATURES  0x301u /* FPU, CMPXCHG8B, APIC */
#define LAPIC_VERSION 0x14
#define IOAPIC_USABLE 1u

/* MP 1.4, table 4-10 and 4-11. */
enum { INT_VECTORED = 0, INT_NMI = 1, INT_EXT = 3 };
#define FLAGS_OF_BUS    0u /* ISA: edge, active high */
#define FLAGS_EDGE_HIGH 5u
#define ALL_LAPICS      0xff

#define BUS_ISA     0
#define ISA_LINES   16
#define ISA_CASCADE 2 /* the second 8259 sits there: no line of its own */

struct floating {
	char signature[4];
	uint32_t table;
	uint8_t paragraphs;
	uint8_t spec;
	uint8_t checksum;
	uint8_t features[5]; /* all 0: there is a table, and no IMCR */
};

struct header {
	char signature[4];
	uint16_t length;
	uint8_t spec;
	uint8_t checksum;
	char oem[8];
	char product[12];
	uint32_t oem_table;
	uint16_t oem_size;
	uint16_t entries;
	uint32_t lapic_base;
	uint16_t extended_length;
	uint8_t extended_checksum;
	uint8_t reserved;
};

struct cpu {
	uint8_t type;
	uint8_t apic_id;
	uint8_t apic_version;
	uint8_t flags;
	uint32_t signature;
	uint32_t features;
	uint32_t reserved[2];
};

struct bus {
	uint8_t type;
	uint8_t id;
	char name[6];
};

struct ioapic {
	uint8_t type;
	uint8_t id;
	uint8_t version;
	uint8_t flags;
	uint32_t base;
};

/* Of an IOAPIC's pin, and of a local APIC's. */
struct interrupt {
	uint8_t type;
	uint8_t kind;
	uint16_t flags;
	uint8_t bus;
	uint8_t line;
	uint8_t apic_id;
	uint8_t pin;
};

static_assert(sizeof(struct floating) == 16, "as in MP 1.4, table 4-1");
static_assert(sizeof(struct header) == 44, "as in MP 1.4, table 4-2");
static_assert(sizeof(struct cpu) == 20, "as in MP 1.4, table 4-4");
static_assert(sizeof(struct bus) == 8 && sizeof(struct ioapic) == 8 && sizeof(struct interrupt) == 8,
	"as in MP 1.4, table 4-3");

struct table {
	uint8_t *bytes;
	size_t size;
	size_t used;
	uint16_t entries;
	bool full;
};

static void put(struct table *table, const void *entry, size_t size)
{
	if (table->full || size > table->size - table->used) {
		table->full = true;
		return;
	}
	memcpy(table->bytes + table->used, entry, size);
	table->used += size;
	table->entries++;
}

static void put_interrupt(struct table *table, uint8_t kind, uint16_t flags, unsigned line)
{
	const struct interrupt entry = {.type = ENTRY_IRQ,
		.kind = kind,
		.flags = flags,
		.bus = BUS_ISA,
		.line = (uint8_t)line,
		.apic_id = IOAPIC_ID,
		.pin = (uint8_t)line};

	put(table, &entry, sizeof(entry));
}

static void put_cpus(struct table *table, unsigned cpus)
{
	unsigned i;

	for (i = 0; i < cpus; i++) {
		const struct cpu cpu = {.type = ENTRY_CPU,
			.apic_id = (uint8_t)i,
			.apic_version = LAPIC_VERSION,
			.flags = i ? CPU_ENABLED : CPU_ENABLED | CPU_BOOT,
			.signature = CPU_SIGNATURE,
			.features = CPU_FEATURES};

		put(table, &cpu, sizeof(cpu));
	}
}

/*
 * The ISA lines have the pins of their numbers. A virtio device is said to sit on the ISA bus too, on a line of its
 * pin's number: Linux then gives it the IRQ number that virtio_mmio.device= names.
 */
static void put_interrupts(struct table *table, const struct mptable_config *config)
{
	unsigned i;

	for (i = 0; i < ISA_LINES; i++) {
		if (i != ISA_CASCADE)
			put_interrupt(table, INT_VECTORED, FLAGS_OF_BUS, i);
	}
	for (i = 0; i < config->device_count; i++) {
		if (config->devices[i].irq >= ISA_LINES)
			put_interrupt(table, INT_VECTORED, FLAGS_EDGE_HIGH, (unsigned)config->devices[i].irq);
	}
}

/* The 8259s' output reaches every local APIC's LINT0, and the NMI its LINT1, as on a PC. */
static void put_local_interrupts(struct table *table, bool pic)
{
	static const struct interrupt entries[] = {
		{.type = ENTRY_LINT, .kind = INT_EXT, .bus = BUS_ISA, .apic_id = ALL_LAPICS, .pin = 0},
		{.type = ENTRY_LINT, .kind = INT_NMI, .bus = BUS_ISA, .apic_id = ALL_LAPICS, .pin = 1},
	};
	unsigned i;

	for (i = pic ? 0 : 1; i < ARRAY_SIZE(entries); i++)
		put(table, &entries[i], sizeof(entries[i]));
}

int mptable_build(const struct mptable_config *config, void *buf, size_t size, uint64_t gpa)
{
	static const struct bus isa = {.type = ENTRY_BUS, .id = BUS_ISA, .name = "ISA   "};
	static const struct ioapic ioapic = {.type = ENTRY_IOAPIC,
		.id = IOAPIC_ID,
		.version = IOAPIC_VERSION,
		.flags = IOAPIC_USABLE,
		.base = IOAPIC_BASE};
	struct floating *floating = buf;
	struct table table = {.used = sizeof(struct header)};
	struct header *header;

	if (size < sizeof(*floating) + sizeof(*header))
		return -ENOSPC;
	table.bytes = (uint8_t *)buf + sizeof(*floating);
	table.size = size - sizeof(*floating);
	put_cpus(&table, config->cpus);
	put(&table, &isa, sizeof(isa));
	put(&table, &ioapic, sizeof(ioapic));
	put_interrupts(&table, config);
	put_local_interrupts(&table, config->pic);
	if (table.full)
		return -ENOSPC;
	header = (struct header *)table.bytes;
	*header = (struct header){.signature = "PCMP",
		.length = (uint16_t)table.used,
		.spec = SPEC_1_4,
		.oem = "LODGE   ",
		.product = "LODGE       ",
		.entries = table.entries,
		.lapic_base = LAPIC_BASE};
	header->checksum = checksum(header, table.used);
	*floating = (struct floating){.signature = "_MP_",
		.table = (uint32_t)(gpa + sizeof(*floating)),
		.paragraphs = 1,
		.spec = SPEC_1_4};
	floating->checksum = checksum(floating, sizeof(*floating));
	return 0;
}
