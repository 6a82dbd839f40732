#include "util/histogram.h"

#include <stddef.h>

#include "util/bytes.h"

#define STEP_BITS 4

static_assert(HISTOGRAM_STEPS == 1 << STEP_BITS, "steps are a power of two");

/* A value's top bit chooses the power, the STEP_BITS bits below it the step. */
static unsigned bucket_of(uint64_t value)
{
	unsigned shift;

	value = MIN(value, (UINT64_C(1) << HISTOGRAM_BITS) - 1);
	if (value < HISTOGRAM_STEPS)
		return (unsigned)value;
	shift = 63 - (unsigned)__builtin_clzll(value) - STEP_BITS;
	return (shift << STEP_BITS) + (unsigned)(value >> shift);
}

/* The largest value that bucket_of() puts there. */
static uint64_t end_of(unsigned bucket)
{
	unsigned shift;

	if (bucket < HISTOGRAM_STEPS)
		return bucket;
	shift = (bucket >> STEP_BITS) - 1;
	return ((uint64_t)(bucket - (shift << STEP_BITS) + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
	counter_add(&histogram->buckets[bucket_of(value)], 1);
	if (value > counter_get(&histogram->max))
		atomic_store_explicit(&histogram->max, value, memory_order_relaxed);
}

uint64_t histogram_count(const struct histogram *histogram)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		count += counter_get(&histogram->buckets[i]);
	return count;
}

uint64_t histogram_percentile(const struct histogram *histogram, unsigned permille)
{
	uint64_t count = histogram_count(histogram), seen = 0, max = counter_get(&histogram->max);
	uint64_t want = count / 1000 * permille + (count % 1000 * permille + 999) / 1000;

	if (!count)
		return 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += counter_get(&histogram->buckets[i]);
		if (seen >= want)
			return MIN(end_of(i), max);
	}
	return max;
}
