/* Files that are damaged at random, the same way on every machine. ASan and guest memory's guards are the judges. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct error;

struct damage {
	uint8_t *file; /* a good one, of size bytes; damaged in place, and good again at the end */
	size_t size;
	size_t from, len; /* the part that is damaged */
	uint32_t seed;
	unsigned rounds;
	/* Loads the file's first size bytes, and checks what came of it: 0, or -errno and *error. */
	int (*load)(size_t size);
	struct error *error;
	/* More rounds than that must end each way, or the damage is too light or too heavy to show anything. */
	unsigned refused, loaded;
};

/* Flips some bits, cuts the file now and then, loads it; and again. A file that is refused gets a reason. */
void damage_try(const struct damage *damage);
