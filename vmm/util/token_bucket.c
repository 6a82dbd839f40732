#include "util/token_bucket.h"

#include "util/bytes.h"
#include "util/clock.h"

#define BURST_NS NS_PER_S

void token_bucket_set_rate(struct token_bucket *bucket, uint64_t rate)
{
	if (bucket->rate != rate)
		*bucket = (struct token_bucket){.rate = rate};
}

/* How long n tokens last. */
static uint64_t duration_ns(const struct token_bucket *bucket, uint64_t n)
{
	return MIN(n, TOKEN_BUCKET_TAKE_MAX) * NS_PER_S / bucket->rate;
}

/* From when on what is not used adds up: a bucket that has stood for long is just full. */
static uint64_t base(const struct token_bucket *bucket, uint64_t now)
{
	return MAX(bucket->used_till, now - MIN(now, BURST_NS));
}

uint64_t token_bucket_ready_at(const struct token_bucket *bucket, uint64_t n, uint64_t now)
{
	uint64_t ready_at;

	if (!bucket->rate)
		return 0;
	ready_at = base(bucket, now) + MIN(duration_ns(bucket, n), BURST_NS);
	return ready_at > now ? ready_at : 0;
}

void token_bucket_take(struct token_bucket *bucket, uint64_t n, uint64_t now)
{
	if (bucket->rate)
		bucket->used_till = base(bucket, now) + duration_ns(bucket, n);
}
