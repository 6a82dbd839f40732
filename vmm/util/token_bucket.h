/*
 * A token bucket: so much a second, and one second's worth at once. Kept as a point in time, as the generic cell
 * rate algorithm does (ITU-T I.371, annex A): no refill, no rounding that adds up. Time is a parameter, in ns.
 *
 * Not thread-safe.
 */
#pragma once

#include <stdint.h>

/* The most that can be taken at once: more counts as this. */
#define TOKEN_BUCKET_TAKE_MAX (UINT64_C(1) << 33)

struct token_bucket {
	uint64_t rate; /* tokens a second; 0: no limit */
	uint64_t
		used_till; /* what was taken lasts until then; where that is past, the difference can be taken */
};

/* A rate that differs from the last one starts with a full bucket; the same one changes nothing. */
void token_bucket_set_rate(struct token_bucket *bucket, uint64_t rate);

/*
 * 0: n tokens may be taken, else the time from which on they may. For more than the bucket holds, it has to be full:
 * so what is larger than the bucket passes too.
 */
uint64_t token_bucket_ready_at(const struct token_bucket *bucket, uint64_t n, uint64_t now);

/* Takes n tokens, also more than there are: then the bucket is in debt, and not ready before that is paid. */
void token_bucket_take(struct token_bucket *bucket, uint64_t n, uint64_t now);
