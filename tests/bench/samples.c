#include "bench/samples.h"

#include <stdlib.h>
#include <string.h>

void samples_add(struct samples *samples, double value)
{
	/* In steps that are powers of two: full when the count is one. */
	if (!(samples->count & (samples->count - 1))) {
		size_t room = samples->count ? 2 * samples->count : 1;

		samples->values = realloc(samples->values, room * sizeof(value));
		if (!samples->values)
			abort();
	}
	samples->values[samples->count++] = value;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The value a share of the way from the first to the last. */
static double quantile(const double *sorted, size_t count, double share)
{
	double at = share * (double)(count - 1);
	size_t below = (size_t)at, above = below + 1 < count ? below + 1 : below;

	return sorted[below] + (at - (double)below) * (sorted[above] - sorted[below]);
}

struct samples_summary samples_summarize(const struct samples *samples)
{
	struct samples_summary summary = {0};
	size_t size = samples->count * sizeof(double);
	double *sorted;

	if (!samples->count)
		return summary;
	sorted = malloc(size);
	if (!sorted)
		abort();
	memcpy(sorted, samples->values, size);
	qsort(sorted, samples->count, sizeof(double), compare);
	summary.min = sorted[0];
	summary.q1 = quantile(sorted, samples->count, 0.25);
	summary.median = quantile(sorted, samples->count, 0.5);
	summary.q3 = quantile(sorted, samples->count, 0.75);
	summary.max = sorted[samples->count - 1];
	free(sorted);
	return summary;
}

void samples_fini(struct samples *samples)
{
	free(samples->values);
	*samples = (struct samples){0};
}
