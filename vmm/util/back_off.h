/*
 * Leaves something alone for a while after it has gone wrong: for longer each time, and for as long as at first once it has
 * gone well for many such whiles. Zeroed at first. Time is a parameter, in ns. Not thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/bytes.h"

#define BACK_OFF_MIN      UINT64_C(10000000)
#define BACK_OFF_GROW     8
#define BACK_OFF_MAX      (BACK_OFF_MIN * 8 * 8 * 8)
#define BACK_OFF_FORGIVEN 64

struct back_off {
	uint64_t span, until; /* of the last time */
};

static inline bool back_off_lasts(const struct back_off *off, uint64_t now)
{
	return now < off->until;
}

static inline void back_off(struct back_off *off, uint64_t now)
{
	bool again = off->span && now - off->until < BACK_OFF_FORGIVEN * off->span;

	off->span = again ? MIN(BACK_OFF_GROW * off->span, BACK_OFF_MAX) : BACK_OFF_MIN;
	off->until = now + off->span;
}
