#include "x86/boot_params.h"

#include <asm/bootparam.h>

#include "x86/e820.h"
#include "x86/layout.h"

#define BOOT_FLAG    0xaa55
#define HEADER_MAGIC 0x53726448 /* "HdrS" */
#define LOADER_OTHER 0xff       /* type_of_loader: none of the assigned numbers */

static_assert(sizeof(struct boot_params) == BOOT_PARAMS_SIZE, "one page");
static_assert(offsetof(struct boot_params, hdr) == BOOT_HEADER_AT, "the header's place");
static_assert(
	offsetof(struct boot_params, edd_mbr_sig_buffer) == BOOT_HEADER_AT + BOOT_HEADER_MAX, "and its room");
static_assert(sizeof(struct setup_data) == BOOT_SETUP_DATA_SIZE, "without the data");

/* What a boot loader fills in (boot.rst, "Details of Header Fields": write, modify). */
static void fill_header(const struct boot_params_config *config, struct setup_header *header)
{
	header->boot_flag = BOOT_FLAG;
	header->header = HEADER_MAGIC;
	header->type_of_loader = LOADER_OTHER;
	header->ext_loader_type = 0;
	header->ext_loader_ver = 0;
	/* The heap is for the 16-bit code, and KASLR is the kernel's own note. */
	header->loadflags &= (uint8_t) ~(CAN_USE_HEAP | KASLR_FLAG | KEEP_SEGMENTS);
	header->loadflags |= LOADED_HIGH;
	header->cmd_line_ptr = config->cmdline;
	header->ramdisk_image = config->initrd_base;
	header->ramdisk_size = config->initrd_size;
	header->setup_data = config->setup_data;
	if (config->header)
		header->code32_start = config->load_address;
	else
		header->cmdline_size = config->cmdline_len;
}

void boot_params_build(const struct boot_params_config *config, void *page)
{
	struct boot_params params = {
		.acpi_rsdp_addr = config->rsdp,
		.e820_entries = (uint8_t)config->map_count,
	};
	unsigned i;

	if (config->header)
		memcpy((uint8_t *)&params + BOOT_HEADER_AT, config->header->bytes, config->header->len);
	fill_header(config, &params.hdr);
	for (i = 0; i < config->map_count; i++) {
		params.e820_table[i].addr = config->map[i].base;
		params.e820_table[i].size = config->map[i].size;
		params.e820_table[i].type = config->map[i].type;
	}
	memcpy(page, &params, sizeof(params));
}

void boot_params_setup_dtb(void *to, uint32_t len)
{
	const struct setup_data data = {.type = SETUP_DTB, .len = len};

	memcpy(to, &data, sizeof(data));
}
