/* What the report and the control protocol say alike. Values are new references. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "lodge.h"

/*
 * Before the first of them, as jansson would open a file for it otherwise, which whoever confines the process may forbid
 * by then. Any thread.
 */
void json_seed(void);

/*
 * Puts a value, whose reference it takes, into an object or at the end of an array. What cannot be had whole, for want of
 * memory, becomes NULL, and so does all that it is put into: nothing is told by halves.
 */
void json_put(json_t **object, const char *key, json_t *value);
void json_add(json_t **array, json_t *value);

json_t *json_number(uint64_t value);
json_t *json_us(uint64_t ns); /* in microseconds */
/* Text that need not be UTF-8, which JSON wants. */
json_t *json_text(const char *text);

json_t *json_counts(const struct lodge_count *counts, unsigned len);
json_t *json_disks(const struct lodge_disk_stats *disks, unsigned count);
json_t *json_vcpus(const struct lodge_vcpu_stats *vcpus, unsigned count);
