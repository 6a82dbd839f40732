/*
 * A log-linear histogram: each power of two is cut into equal steps, so that a percentile is known to one part in
 * HISTOGRAM_STEPS, in a fixed array. One thread at a time adds, any others read meanwhile.
 */
#pragma once

#include "util/counter.h"

#define HISTOGRAM_STEPS 16 /* a power of two */
#define HISTOGRAM_BITS  40 /* values from 2^40 on count as the largest below; in ns, 18 minutes */

/* The values below HISTOGRAM_STEPS have a bucket each; 36 powers of two follow. */
#define HISTOGRAM_BUCKETS ((HISTOGRAM_BITS - 4 + 1) * HISTOGRAM_STEPS)

struct histogram {
	counter_t buckets[HISTOGRAM_BUCKETS];
	counter_t max; /* exact */
};

void histogram_add(struct histogram *histogram, uint64_t value);

uint64_t histogram_count(const struct histogram *histogram);

/*
 * The value that `permille` (1 to 1000) of 1000 values do not exceed, rounded up to its bucket's end, and never more than the
 * largest value; 0 where there is none.
 */
uint64_t histogram_percentile(const struct histogram *histogram, unsigned permille);
