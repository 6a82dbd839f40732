/*
 * Linux's bzImage, by its 64-bit entry (Linux, Documentation/arch/x86/boot.rst: "64-bit Boot Protocol"). The
 * kernel unpacks itself; its 16-bit part is not run.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct image;
struct kernel;

/* Whether a file that begins with these bytes is one. */
bool bzimage_is(const uint8_t *head, size_t len);

/* Judges it, and fills in *kernel but for the name: 0, or -errno and *error (ERROR_IMAGE). */
int bzimage_probe(const struct image *image, struct kernel *kernel, struct error *error);
