/* A kernel file, as `lodge run` takes it: the input is the file, compressed or not, and its own initrd. */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "loader/image.h"
#include "loader/loader.h"
#include "loader/unpack.h"
#include "util/bytes.h"
#include "util/error.h"
#include "x86/layout.h"

#define MEMORY     MIB(16)
#define UNPACK_MAX KIB(256)

/* An error is for a person: it has a kind and one line. */
static bool failed(int err, const struct error *error)
{
	FUZZ_CHECK(err <= 0);
	if (!err) {
		FUZZ_CHECK(error->kind == ERROR_NONE);
		return false;
	}
	FUZZ_CHECK(error->kind == ERROR_IMAGE || error->kind == ERROR_VMM);
	FUZZ_CHECK(*error->text && !strchr(error->text, '\n'));
	return true;
}

static void check_kernel(const struct kernel *kernel)
{
	FUZZ_CHECK(kernel->format && kernel->segments.count >= 1 && kernel->segments.count <= SEGMENTS_MAX);
	FUZZ_CHECK(kernel->setup.len <= sizeof(kernel->setup.bytes));
	if (kernel->protocol == PROTOCOL_FLAT)
		return;
	FUZZ_CHECK(kernel->entry < GIB(4) && segments_at(&kernel->segments, kernel->entry));
	for (unsigned i = 0; i < kernel->segments.count; i++) {
		const struct segment *segment = &kernel->segments.at[i];

		FUZZ_CHECK(segment->filesz <= segment->memsz);
		FUZZ_CHECK(segment->paddr >= RAM_HIGH || kernel->protocol == PROTOCOL_MULTIBOOT);
	}
}

/* The kernel is in memory as its file has it, and zeroes follow. */
static void check_loaded(
	const struct kernel *kernel, const struct image *image, const struct guest_memory *mem)
{
	for (unsigned i = 0; i < kernel->segments.count; i++) {
		const struct segment *segment = &kernel->segments.at[i];
		const uint8_t *at;

		if (!segment->memsz)
			continue;
		at = guest_memory_at(mem, segment->paddr, segment->memsz);
		FUZZ_CHECK(at);
		FUZZ_CHECK(!segment->filesz || !memcmp(at, image->bytes + segment->offset, segment->filesz));
		if (segment->memsz > segment->filesz)
			FUZZ_CHECK(at[segment->filesz] == 0 && at[segment->memsz - 1] == 0);
	}
}

static void check_initrd(const struct kernel *kernel, uint64_t base, uint64_t size)
{
	FUZZ_CHECK(base % 0x1000 == 0 && range_inside(base, size, RAM_HIGH, MEMORY - RAM_HIGH));
	FUZZ_CHECK(base + size <= kernel->initrd_limit);
	for (unsigned i = 0; i < kernel->segments.count; i++) {
		const struct segment *segment = &kernel->segments.at[i];

		FUZZ_CHECK(!ranges_overlap(base, size, segment->paddr, segment->memsz));
	}
}

static void load(const struct kernel *kernel, const struct image *image, const struct guest_memory *mem)
{
	static char longest[BOOT_CMDLINE_SIZE];
	struct boot_data data = {.cmdline = "console=ttyS0", .rsdp = image->size & 1 ? ACPI_BASE : 0};
	struct boot_state state;
	struct error error = {0};

	if (failed(loader_load_kernel(kernel, image, mem, &error), &error))
		return;
	check_loaded(kernel, image, mem);
	if (!failed(loader_load_initrd(image, mem, kernel, &data.initrd_base, &error), &error)) {
		check_initrd(kernel, data.initrd_base, image->size);
		data.initrd_size = image->size;
	}
	error = (struct error){0};
	if (!failed(loader_write_boot_data(&data, kernel, mem, &state, &error), &error))
		FUZZ_CHECK(kernel->protocol == PROTOCOL_FLAT || state.rip == kernel->entry);
	error = (struct error){0};
	memset(longest, 'x', sizeof(longest) - 1);
	data.cmdline = longest;
	data.fdt_size = 1000;
	failed(loader_write_boot_data(&data, kernel, mem, &state, &error), &error);
	check_loaded(kernel, image, mem);
}

static void boot(const struct image *image, bool flat)
{
	struct guest_memory mem = {0};
	struct kernel kernel;
	struct error error = {0};
	int err;

	err = flat ? loader_probe_flat(image, &kernel, &error) : loader_probe(image, &kernel, &error);
	if (failed(err, &error))
		return;
	check_kernel(&kernel);
	FUZZ_CHECK(!guest_memory_add(&mem, 0, MEMORY) && !guest_memory_add(&mem, HOLE_END, MEMORY));
	load(&kernel, image, &mem);
	guest_memory_fini(&mem);
}

static bool same_segments(const struct segments *a, const struct segments *b)
{
	if (a->count != b->count)
		return false;
	for (unsigned i = 0; i < a->count; i++) {
		const struct segment *x = &a->at[i], *y = &b->at[i];

		if (x->offset != y->offset || x->filesz != y->filesz || x->memsz != y->memsz ||
			x->paddr != y->paddr || x->vaddr != y->vaddr)
			return false;
	}
	return true;
}

/* A file is read in pieces, and seen as its bytes are. */
static void boot_file(const struct image *bytes, const uint8_t *data, size_t size)
{
	struct kernel kernel = {0}, expected = {0};
	struct error error = {0}, ignored;
	struct image image;
	char path[32];
	int fd = memfd_create("fuzz", MFD_CLOEXEC), r;

	FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	FUZZ_CHECK(!image_open(&image, path, &error));
	FUZZ_CHECK(!image_unpack(&image, UNPACK_MAX, &error) && image.size == bytes->size);
	r = loader_probe(&image, &kernel, &error);
	FUZZ_CHECK(r == loader_probe(bytes, &expected, &ignored));
	if (!failed(r, &error)) {
		FUZZ_CHECK(kernel.entry == expected.entry && kernel.format == expected.format);
		FUZZ_CHECK(same_segments(&kernel.segments, &expected.segments));
		FUZZ_CHECK(kernel.setup.len == expected.setup.len);
		FUZZ_CHECK(!memcmp(kernel.setup.bytes, expected.setup.bytes, kernel.setup.len));
	}
	image_close(&image);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error error = {0};
	struct image image;

	if (!size) /* image_open() has refused it */
		return 0;
	image_from_bytes(&image, "fuzz", data, size);
	if (!failed(image_unpack(&image, UNPACK_MAX, &error), &error)) {
		FUZZ_CHECK(image.size > 0 && (!image.compression || image.size <= UNPACK_MAX));
		boot(&image, false);
		boot(&image, true);
		boot_file(&image, data, size);
	}
	image_close(&image);
	return 0;
}
