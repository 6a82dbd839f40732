/* Writes the loader's seeds, a small kernel of each format, into a folder: make fuzz-seeds. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bzimage_builder.h"
#include "lib/compress.h"
#include "lib/elf_builder.h"
#include "lib/multiboot_builder.h"

static const char *folder;

static void write_seed(const char *name, const void *bytes, size_t size)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "wb");
	if (!size || !file || fwrite(bytes, 1, size, file) != size || fclose(file)) {
		perror(path);
		exit(1);
	}
}

static const struct {
	const char *name;
	struct elf_build build;
} elves[] = {
	{"elf64-pvh", {.pvh = true, .pvh_entry = 0x100000}},
	{"elf64-entry", {.entry = 0x100004}},
	{"elf64-dyn", {.dyn = true, .entry = 0x100004}},
	{"elf64-virtual", {.entry = 0xffffffff80000004}},
	{"elf32-pvh", {.elf32 = true, .pvh = true, .pvh_entry = 0x100000}},
};

/* A header of multiboot 2 in an ELF file that has no other way in. */
static void write_multiboot2(void)
{
	static uint64_t file[64];
	const uint32_t header[4] = {0xe85250d6, 0, 16, 0u - 0xe85250d6 - 16};
	struct elf_build build = {.segments = {{.paddr = 0x100000, .bytes = "\xf4", .filesz = 1}},
		.segment_count = 1,
		.entry = 0x100000};
	size_t at = (elf_build(&build, file, 256, NULL) + 7) / 8;

	memcpy(file + at, header, sizeof(header));
	write_seed("wrong-multiboot2", file, 8 * at + sizeof(header));
}

static void write_elf(const char *name, struct elf_build build, uint64_t second)
{
	static uint8_t file[4096];

	build.segment_count = 2;
	build.segments[0] = (struct elf_build_segment){
		.paddr = 0x100000,
		.vaddr = build.entry >> 63 ? 0xffffffff80000000 : 0x100000,
		.bytes = "\xf4\xeb\xfd code",
		.filesz = 8,
		.bss = 4096,
	};
	build.segments[1] = (struct elf_build_segment){.paddr = second, .bytes = "data", .filesz = 4};
	write_seed(name, file, elf_build(&build, file, sizeof(file), NULL));
}

/* What a file may hold that is no kernel: nothing, a file that is packed itself, and more than there is room for. */
static void write_wrong(void)
{
	static uint8_t large[1 << 20], once[65536], twice[65536];
	size_t len = compress_bytes(COMPRESS_GZIP, large, 0, once);

	write_seed("wrong-nothing", once, len);
	write_seed("wrong-twice", twice, compress_bytes(COMPRESS_ZSTD, once, len, twice));
	write_elf("wrong-overlap", elves[0].build, 0x100004);
	write_elf("wrong-end", elves[0].build, 0xfffffe); /* the fuzz target's guest has 16 MiB */
	write_elf("wrong-low", elves[0].build, 0x8000);
	len = elf_build_pvh("\xf4\xeb\xfd", 3, once, sizeof(once));
	memset(once + sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, p_memsz), 0, 8);
	once[sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, p_memsz)] = 2; /* less than the file has */
	write_seed("wrong-larger", once, len);
	len = bzimage_build("\xf4", 1, once, sizeof(once));
	once[0x201] = 0xff; /* the longest header */
	write_seed("wrong-header", once, len);
	len = elf_build_pvh("\xf4", 1, once, sizeof(once));
	memset(once + offsetof(Elf64_Ehdr, e_phoff), 0xff, 8);
	once[offsetof(Elf64_Ehdr, e_phoff)] = 0xc8; /* 56 before the end of all numbers */
	write_seed("wrong-wrap", once, len);
	/* More program headers than are taken, all of them there. */
	len = elf_build_pvh("\xf4", 1, once, sizeof(once));
	memset(once + len, 0, 4096);
	once[offsetof(Elf64_Ehdr, e_phnum)] = 65;
	write_seed("wrong-many", once, 64 + 65 * 56);
	write_seed("wrong-large", once, compress_bytes(COMPRESS_ZSTD, large, sizeof(large), once));
}

int main(int argc, char **argv)
{
	static uint8_t file[8192], packed[65536];
	char name[64];
	size_t size;

	if (argc != 2) {
		fprintf(stderr, "Usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	folder = argv[1];
	for (size_t i = 0; i < sizeof(elves) / sizeof(elves[0]); i++)
		write_elf(elves[i].name, elves[i].build, 0x200000);
	write_elf("elf64-high", elves[0].build, UINT64_C(1) << 32);
	write_seed("multiboot-raw", file, multiboot_build_raw("\xf4", 1, file, sizeof(file)));
	write_seed("multiboot-elf32", file, multiboot_build_elf(32, "\xf4", 1, file, sizeof(file)));
	write_seed("multiboot-elf64", file, multiboot_build_elf(64, "\xf4", 1, file, sizeof(file)));
	write_seed("bzimage", file, bzimage_build("\xf4", 1, file, sizeof(file)));
	size = elf_build_pvh("\xf4", 1, file, sizeof(file));
	for (enum compress_format format = 0; format < COMPRESS_FORMATS; format++) {
		size_t len = compress_bytes(format, file, size, packed);

		snprintf(name, sizeof(name), "packed-%s", compress_names[format]);
		write_seed(name, packed, len);
		/* A second member, and what pads the file. */
		len += compress_bytes(format, file, size, packed + len);
		memset(packed + len, 0, 16);
		snprintf(name, sizeof(name), "packed-twice-%s", compress_names[format]);
		write_seed(name, packed, len + 16);
	}
	write_multiboot2();
	write_wrong();
	return 0;
}
