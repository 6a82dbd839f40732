#include "bench/samples.h"

#include <stdio.h>
#include <stdlib.h>

void samples_add(struct samples *samples, double value)
{
	if (samples->count < SAMPLES_MAX)
		samples->values[samples->count++] = value;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double samples_median(struct samples *samples)
{
	size_t n = samples->count;

	if (!n)
		return 0;
	qsort(samples->values, n, sizeof(samples->values[0]), compare);
	return (samples->values[(n - 1) / 2] + samples->values[n / 2]) / 2;
}

void samples_print(struct samples *samples, const char *name, const char *unit)
{
	double median = samples_median(samples);

	printf("  %-28s %9.3f %s (%.3f - %.3f)\n", name, median, unit, samples->values[0],
		samples->values[samples->count - 1]);
}
