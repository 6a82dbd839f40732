#include "lib/multiboot_builder.h"

#include <stdlib.h>
#include <string.h>

#include "lib/elf_builder.h"

#define LOADED_BEFORE 16
#define RAW_BSS       4096

static void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

void multiboot_put_header(uint8_t *at, uint32_t flags)
{
	put32(at, MULTIBOOT_MAGIC);
	put32(at + 4, flags);
	put32(at + 8, 0u - MULTIBOOT_MAGIC - flags);
}

size_t multiboot_build_raw(const void *code, size_t len, void *out, size_t size)
{
	const size_t code_at = MULTIBOOT_RAW_AT + MULTIBOOT_HEADER, total = code_at + len;
	const uint32_t header = MULTIBOOT_RAW_LOAD + LOADED_BEFORE;
	uint8_t *file = out;

	if (total > size)
		return 0;
	memset(file, 0x3c, code_at);
	multiboot_put_header(file + MULTIBOOT_RAW_AT, MULTIBOOT_ADDRESSES);
	put32(file + MULTIBOOT_RAW_AT + 12, header);                                    /* header_addr */
	put32(file + MULTIBOOT_RAW_AT + 16, MULTIBOOT_RAW_LOAD);                        /* load_addr */
	put32(file + MULTIBOOT_RAW_AT + 20, header + MULTIBOOT_HEADER + (uint32_t)len); /* load_end_addr */
	put32(file + MULTIBOOT_RAW_AT + 24,
		header + MULTIBOOT_HEADER + (uint32_t)len + RAW_BSS);   /* bss_end_addr */
	put32(file + MULTIBOOT_RAW_AT + 28, header + MULTIBOOT_HEADER); /* entry_addr */
	memcpy(file + code_at, code, len);
	return total;
}

size_t multiboot_build_elf(unsigned bits, const void *code, size_t len, void *out, size_t size)
{
	uint8_t *bytes = calloc(1, MULTIBOOT_HEADER + len);
	const struct elf_build build = {
		.elf32 = bits == 32,
		.segments = {{.paddr = ELF_BUILD_LOAD,
			.bytes = bytes,
			.filesz = MULTIBOOT_HEADER + len,
			.bss = 4096}},
		.segment_count = 1,
		.entry = ELF_BUILD_LOAD + MULTIBOOT_HEADER,
	};

	if (!bytes)
		return 0;
	multiboot_put_header(bytes, 0);
	memcpy(bytes + MULTIBOOT_HEADER, code, len);
	size = elf_build(&build, out, size, NULL);
	free(bytes);
	return size;
}
