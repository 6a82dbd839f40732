/*
 * What the fuzz targets share. A target is a file that defines LLVMFuzzerTestOneInput(): it takes the input for what a
 * guest, an image or a client does, and ends the process where a promise is broken. make fuzz links it with libFuzzer,
 * make check-fuzz with replay.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory/guest_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise: the process ends where it is broken, whatever NDEBUG says. */
#define FUZZ_CHECK(promise)                                      \
	do {                                                     \
		if (!(promise))                                  \
			fuzz_fail(__FILE__, __LINE__, #promise); \
	} while (0)

_Noreturn void fuzz_fail(const char *file, int line, const char *promise);

/* The input, taken from the front. What is behind its end is 0. */
struct fuzz_input {
	const uint8_t *at;
	size_t left;
};

uint64_t fuzz_bytes(struct fuzz_input *input, unsigned count); /* the next 0 to 8 bytes, little-endian */
uint64_t fuzz_below(
	struct fuzz_input *input, uint64_t limit); /* 0 to limit - 1, of as many bytes as that takes */
uint64_t fuzz_number(struct fuzz_input *input);    /* any, and often one of those where code breaks */

static inline uint8_t fuzz_byte(struct fuzz_input *input)
{
	return (uint8_t)fuzz_bytes(input, 1);
}

/*
 * The clock that the library reads in a fuzz target (its clock_gettime() is linked to this one): it stands still but
 * where a target moves it, so that an input does the same each time. Since 1970 and since the start alike.
 */
void fuzz_clock_set(uint64_t ns);
uint64_t fuzz_clock(void);

/*
 * A host that runs out of things: of the memory and eventfds that are asked for from here on, by calls that are linked to
 * these as well, `allowed` are to be had, the next one is not, and all later ones are. Whether it came to that; it ends
 * with the question.
 */
void fuzz_refuse(unsigned allowed);
bool fuzz_refused(void);

/*
 * Guest memory with all kinds of edges, and pages between them that end the process when they are touched. Two regions
 * touch in the guest, but not here; behind them is a hole; the third is large, so that lengths of 32 bits fit it.
 */
#define FUZZ_LOW_SIZE  KIB(64)
#define FUZZ_MID_BASE  FUZZ_LOW_SIZE
#define FUZZ_MID_SIZE  KIB(32)
#define FUZZ_HOLE      (FUZZ_MID_BASE + FUZZ_MID_SIZE)
#define FUZZ_HIGH_BASE GIB(4)
#define FUZZ_HIGH_SIZE (GIB(4) + KIB(4))

/* Zeroed, and the caller's until the next call. */
const struct guest_memory *fuzz_memory(void);

/* An address: mostly in memory, often at an edge, now and then nowhere. */
gpa_t fuzz_gpa(struct fuzz_input *input);

/* Whether [hva, hva+len) lies in one region. */
bool fuzz_memory_has(const void *hva, uint64_t len);
