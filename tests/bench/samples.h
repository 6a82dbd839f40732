/* Samples of one thing, and what can honestly be said of them: the median and the spread. */
#pragma once

#include <stddef.h>

#define SAMPLES_MAX 200

struct samples {
	double values[SAMPLES_MAX];
	size_t count;
};

void samples_add(struct samples *samples, double value);
double samples_median(struct samples *samples); /* sorts them; 0 when there are none */

/* Prints "NAME  median UNIT (min - max)". */
void samples_print(struct samples *samples, const char *name, const char *unit);
