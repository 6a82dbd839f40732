/* Guest memory and small ELF files, for test_elf*.c and test_loader.c. */
#pragma once

#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "lib/elf_builder.h"
#include "loader/elf.h"
#include "loader/image.h"
#include "memory/guest_memory.h"
#include "util/bytes.h"
#include "util/error.h"
#include "x86/layout.h"

#define FIXTURE_LOW  MIB(16)
#define FIXTURE_HIGH MIB(1)
#define FIXTURE_FILE 4096

struct elf_fixture {
	struct guest_memory mem; /* FIXTURE_LOW bytes from 0, FIXTURE_HIGH from 4 GiB */
	uint8_t file[FIXTURE_FILE];
	size_t size;
	struct elf_layout layout;
	struct elf_kernel kernel;
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

/* Loads the first `size` bytes of the file, from a copy of exactly that size: ASan sees one too far. */
static inline int elf_fixture_load(struct elf_fixture *f, size_t size)
{
	uint8_t *copy = malloc(size);
	struct image image;
	int err;

	memcpy(copy, f->file, size);
	image_from_bytes(&image, "kernel.elf", copy, size);
	err = elf_load(&image, &f->mem, &f->kernel, &f->error);
	free(copy);
	return err;
}

static inline const void *elf_fixture_at(struct elf_fixture *f, uint64_t gpa)
{
	return guest_memory_at(&f->mem, gpa, 1);
}
