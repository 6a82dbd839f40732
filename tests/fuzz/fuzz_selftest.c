/* Breaks in every way that a target can, so that tests/fuzz/selftest.sh sees that each is noticed. No part of `make fuzz`. */
#include "fuzz.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/clock.h"

static volatile int sink;
static void *volatile lost;

static bool is(const uint8_t *data, size_t size, const char *text)
{
	return size == strlen(text) && !memcmp(data, text, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct guest_memory *mem = fuzz_memory();

	fuzz_clock_set(1234567890);
	FUZZ_CHECK(clock_ns() == 1234567890);
	FUZZ_CHECK(!is(data, size, "promise"));
	if (is(data, size, "overrun"))
		sink = data[size];
	if (is(data, size, "undefined"))
		sink = INT_MAX - 6 + (int)size;
	if (is(data, size, "guest")) /* the regions touch in the guest, and must not here */
		((volatile uint8_t *)mem->regions[0].hva)[FUZZ_LOW_SIZE] = 1;
	if (is(data, size, "leak")) {
		lost = malloc(100);
		lost = NULL;
	}
	if (is(data, size, "exit"))
		_exit(0);
	if (is(data, size, "hang"))
		for (;;)
			sink++;
	return 0;
}
