#include "util/busy_wait.h"

#include <sched.h>

#include "util/bytes.h"
#include "util/clock.h"

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
		back_off(&wait->rest, now);
	if (moved) {
		if (wait->last.under_way)
			learn(wait, now - wait->moved_at);
		wait->moved_at = now;
	}
	wait->last = *look;
	if (back_off_lasts(&wait->rest, now))
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
