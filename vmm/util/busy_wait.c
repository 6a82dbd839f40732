#include "util/busy_wait.h"

#include <sched.h>

#include "util/bytes.h"
#include "util/clock.h"

/* Others want the CPU. */
static void rest(struct busy_wait *wait, uint64_t now)
{
	bool again = wait->rest && now - wait->rests_until < BUSY_WAIT_FORGIVEN * wait->rest;

	wait->rest = again ? MIN(BUSY_WAIT_REST_GROW * wait->rest, BUSY_WAIT_REST_MAX) : BUSY_WAIT_REST_MIN;
	wait->rests_until = now + wait->rest;
}

/* The answer took so long. */
static void learn(struct busy_wait *wait, uint64_t waited)
{
	if (waited > BUSY_WAIT_MAX)
		wait->bound /= 2;
	else
		wait->bound = MAX(wait->bound, MIN(2 * waited, BUSY_WAIT_MAX));
}

bool busy_wait_goes_on(struct busy_wait *wait, const struct busy_look *look, uint64_t now)
{
	bool moved = look->taken != wait->last.taken || look->under_way != wait->last.under_way;

	if (look->yielded >= wait->yield_max)
		rest(wait, now);
	if (moved) {
		if (wait->last.under_way)
			learn(wait, now - wait->moved_at);
		wait->moved_at = now;
	}
	wait->last = *look;
	if (now < wait->rests_until)
		return false;
	/* After an answer the next request is often near, if the guest gets the CPU: one more look. */
	return moved || (look->under_way && now - wait->moved_at < wait->bound);
}

uint64_t busy_wait_yield(void)
{
	uint64_t start = clock_ns();

	sched_yield();
	return clock_ns() - start;
}
