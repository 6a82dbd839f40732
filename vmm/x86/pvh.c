#include "x86/pvh.h"

#include "x86/e820.h"
#include "x86/layout.h"

#define START_MAGIC   0x336ec578u
#define START_VERSION 1u

struct start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t nr_modules;
	uint64_t modlist;
	uint64_t cmdline;
	uint64_t rsdp;
	uint64_t memmap;
	uint32_t memmap_entries;
	uint32_t reserved;
};

struct module_entry {
	uint64_t base;
	uint64_t size;
	uint64_t cmdline;
	uint64_t reserved;
};

struct memmap_entry {
	uint64_t base;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

/* The page: all that start_info points to has its place in it. */
struct start_page {
	struct start_info info;
	struct module_entry modules[PVH_MODULES_MAX];
	char module_names[PVH_MODULES_MAX][16];
	struct memmap_entry map[E820_ENTRIES_MAX];
};

static_assert(sizeof(struct start_info) == 56, "as in the ABI");
static_assert(sizeof(struct start_page) <= BOOT_START_SIZE, "one page holds it all");

void pvh_start_info_build(const struct pvh_config *config, void *page, uint64_t gpa)
{
	struct start_page start = {
		.info =
			{
				.magic = START_MAGIC,
				.version = START_VERSION,
				.nr_modules = config->module_count,
				.modlist = gpa + offsetof(struct start_page, modules),
				.cmdline = config->cmdline,
				.rsdp = config->rsdp,
				.memmap = gpa + offsetof(struct start_page, map),
				.memmap_entries = config->map_count,
			},
	};
	unsigned i;

	for (i = 0; i < config->module_count; i++) {
		const struct pvh_module *module = &config->modules[i];

		start.modules[i].base = module->base;
		start.modules[i].size = module->size;
		if (module->name) {
			strncpy(start.module_names[i], module->name, sizeof(start.module_names[i]) - 1);
			start.modules[i].cmdline = gpa + offsetof(struct start_page, module_names) +
			                           i * sizeof(start.module_names[i]);
		}
	}
	for (i = 0; i < config->map_count; i++) {
		start.map[i].base = config->map[i].base;
		start.map[i].size = config->map[i].size;
		start.map[i].type = config->map[i].type;
	}
	memcpy(page, &start, sizeof(start));
}
