#include "x86/boot_params.h"

#include <asm/bootparam.h>

#include "x86/e820.h"
#include "x86/layout.h"

#define BOOT_FLAG    0xaa55
#define HEADER_MAGIC 0x53726448 /* "HdrS" */
#define LOADER_OTHER 0xff       /* type_of_loader: none of the assigned numbers */

static_assert(sizeof(struct boot_params) == BOOT_PARAMS_SIZE, "one page");

void boot_params_build(const struct boot_params_config *config, void *page)
{
	struct boot_params params = {
		.hdr =
			{
				.boot_flag = BOOT_FLAG,
				.header = HEADER_MAGIC,
				.type_of_loader = LOADER_OTHER,
				.loadflags = LOADED_HIGH,
				.cmd_line_ptr = config->cmdline,
				.cmdline_size = config->cmdline_len,
				.ramdisk_image = config->initrd_base,
				.ramdisk_size = config->initrd_size,
			},
		.acpi_rsdp_addr = config->rsdp,
		.e820_entries = (uint8_t)config->map_count,
	};
	unsigned i;

	for (i = 0; i < config->map_count; i++) {
		params.e820_table[i].addr = config->map[i].base;
		params.e820_table[i].size = config->map[i].size;
		params.e820_table[i].type = config->map[i].type;
	}
	memcpy(page, &params, sizeof(params));
}
