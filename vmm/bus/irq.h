/* An interrupt line as a device sees it: something to raise and lower. */
#pragma once

#include <stdbool.h>

struct irq_line {
	void (*set)(void *ctx, bool level); /* any thread; must not block */
	void *ctx;
};

/* A line without `set` is not connected. */
static inline void irq_set(const struct irq_line *line, bool level)
{
	if (line->set)
		line->set(line->ctx, level);
}
