/* Samples of one thing, and what can honestly be said of them: the median and the spread. */
#pragma once

#include <stddef.h>

/* Zeroed: none. */
struct samples {
	double *values;
	size_t count;
};

/* All 0 when there are no samples. The quartiles interpolate, as do R's type 7 and a spreadsheet's QUARTILE(). */
struct samples_summary {
	double min, q1, median, q3, max;
};

/* Keeps a value; aborts when there is no memory. */
void samples_add(struct samples *samples, double value);

/* Sorts a copy: the values stay in the order in which they came. */
struct samples_summary samples_summarize(const struct samples *samples);

void samples_fini(struct samples *samples);
