#include "x86/multiboot.h"

#include "x86/e820.h"
#include "x86/layout.h"

#define HAS_MEMORY  (1u << 0)
#define HAS_CMDLINE (1u << 2)
#define HAS_MODULES (1u << 3)
#define HAS_MAP     (1u << 6)
#define HAS_NAME    (1u << 9)

struct info {
	uint32_t flags;
	uint32_t mem_lower; /* KiB */
	uint32_t mem_upper;
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count;
	uint32_t mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length;
	uint32_t mmap_addr;
	uint32_t drives_length;
	uint32_t drives_addr;
	uint32_t config_table;
	uint32_t boot_loader_name;
	uint32_t apm_table;
	uint32_t vbe_and_framebuffer[12]; /* there is no display */
};

struct module {
	uint32_t start;
	uint32_t end; /* the byte behind it */
	uint32_t string;
	uint32_t reserved;
};

/* The specification counts from behind `size`, which so does not count itself. */
struct map_entry {
	uint32_t size;
	uint64_t base;
	uint64_t length;
	uint32_t type;
} __attribute__((packed));

/* The page: all that info points to has its place in it. */
struct info_page {
	struct info info;
	struct module module;
	char module_name[8];
	char loader_name[8];
	struct map_entry map[E820_ENTRIES_MAX];
};

static_assert(offsetof(struct info, boot_loader_name) == 64, "as in the specification");
static_assert(sizeof(struct info) == 120, "with all of its tail");
static_assert(sizeof(struct map_entry) == 24, "20 bytes and their size");
static_assert(sizeof(struct info_page) <= BOOT_START_SIZE, "one page holds it all");

void multiboot_info_build(const struct multiboot_config *config, void *page, uint32_t gpa)
{
	struct info_page build = {
		.info =
			{
				.flags = HAS_MEMORY | HAS_CMDLINE | HAS_MODULES | HAS_MAP | HAS_NAME,
				.mem_lower = RAM_EBDA >> 10,
				.mem_upper = (uint32_t)((config->low_size - RAM_HIGH) >> 10),
				.cmdline = config->cmdline,
				.mods_count = config->module_size != 0,
				.mods_addr = gpa + offsetof(struct info_page, module),
				.mmap_length = config->map_count * (uint32_t)sizeof(struct map_entry),
				.mmap_addr = gpa + offsetof(struct info_page, map),
				.boot_loader_name = gpa + offsetof(struct info_page, loader_name),
			},
		.module_name = "initrd",
		.loader_name = "lodge",
	};
	unsigned i;

	if (config->module_size) {
		build.module.start = config->module_base;
		build.module.end = config->module_base + config->module_size;
		build.module.string = gpa + offsetof(struct info_page, module_name);
	}
	for (i = 0; i < config->map_count; i++) {
		build.map[i] = (struct map_entry){
			.size = sizeof(struct map_entry) - sizeof(uint32_t),
			.base = config->map[i].base,
			.length = config->map[i].size,
			.type = config->map[i].type,
		};
	}
	memset(page, 0, BOOT_START_SIZE);
	memcpy(page, &build, sizeof(build));
}
