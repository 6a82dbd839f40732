/* Limits as people type them: `lodge run --cpu-max 50%`, `lodge set web cpu-max=50%`. */
#pragma once

#include <stdint.h>

#include "lodge.h"

struct error;

struct limit {
	const char *name;   /* the key of `lodge set`; with two dashes, the option of `lodge run` */
	const char *member; /* of the control command "set" */
	const char *want;   /* what it takes */
	int (*parse)(const char *value, uint64_t *ret_limit);
};

extern const struct limit cpu_share_limit, cpu_max_limit, memory_max_limit;

/*
 * "none" is 0, and lifts the limit. 0, or -EINVAL and *error, which begins with what: the option's name, or the
 * key's.
 */
int limit_parse(const struct limit *limit, const char *what, const char *value, uint64_t *ret_limit,
	struct error *error);

/* Of the disks from first on, count of them: LODGE_DISKS_MAX stands for all. */
struct disk_rate {
	unsigned first, count;
	struct lodge_disk_rate rate; /* both 0: "none" */
};

/* "[DISK:]bytes=SIZE[,requests=N]", either part alone, or "[DISK:]none": as above. */
int disk_rate_parse(const char *what, const char *value, struct disk_rate *ret_rate, struct error *error);
