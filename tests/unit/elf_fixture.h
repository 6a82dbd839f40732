/* Guest memory and small ELF files, for test_elf*.c and test_loader.c. */
#pragma once

#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "lib/elf_builder.h"
#include "loader/elf.h"
#include "loader/image.h"
#include "loader/segments.h"
#include "memory/guest_memory.h"
#include "util/bytes.h"
#include "util/error.h"
#include "x86/layout.h"

#define FIXTURE_LOW  MIB(16)
#define FIXTURE_HIGH MIB(1)
#define FIXTURE_FILE 4096

/* What came of a file; untouched where it was refused. */
struct elf_loaded {
	bool has_pvh_entry;
	uint32_t pvh_entry;
	uint64_t entry; /* of a kernel that has no PVH entry */
	uint64_t end;
};

struct elf_fixture {
	struct guest_memory mem; /* FIXTURE_LOW bytes from 0, FIXTURE_HIGH from 4 GiB */
	uint8_t file[FIXTURE_FILE];
	size_t size;
	struct elf_layout layout;
	struct elf_loaded kernel;
	struct error error;
};

static inline void elf_fixture_setup(struct elf_fixture *f)
{
	memset(f, 0, sizeof(*f));
	ck_assert_int_eq(guest_memory_add(&f->mem, 0, FIXTURE_LOW), 0);
	ck_assert_int_eq(guest_memory_add(&f->mem, HOLE_END, FIXTURE_HIGH), 0);
}

static inline void elf_fixture_teardown(struct elf_fixture *f)
{
	guest_memory_fini(&f->mem);
}

static inline void elf_fixture_build(struct elf_fixture *f, const struct elf_build *build)
{
	f->size = elf_build(build, f->file, sizeof(f->file), &f->layout);
	ck_assert_uint_gt(f->size, 0);
}

static inline int elf_fixture_load_image(struct elf_fixture *f, const struct image *image)
{
	struct elf_kernel elf;
	struct elf_loaded loaded = {0};
	int err = elf_read(image, RAM_HIGH, &elf, &f->error);

	if (!err)
		err = segments_load(&elf.segments, image, &f->mem, &f->error);
	if (!err && !elf.has_pvh_entry)
		err = elf_entry(&elf, image, &loaded.entry, &f->error);
	if (err)
		return err;
	loaded.has_pvh_entry = elf.has_pvh_entry;
	loaded.pvh_entry = elf.pvh_entry;
	loaded.end = segments_end(&elf.segments);
	f->kernel = loaded;
	return 0;
}

/* Loads the first `size` bytes of the file, from a copy of exactly that size: ASan sees one too far. */
static inline int elf_fixture_load(struct elf_fixture *f, size_t size)
{
	uint8_t *copy = malloc(size);
	struct image image;
	int err;

	memcpy(copy, f->file, size);
	image_from_bytes(&image, "kernel.elf", copy, size);
	err = elf_fixture_load_image(f, &image);
	free(copy);
	return err;
}

static inline const void *elf_fixture_at(struct elf_fixture *f, uint64_t gpa)
{
	return guest_memory_at(&f->mem, gpa, 1);
}
