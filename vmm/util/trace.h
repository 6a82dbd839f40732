/*
 * Traces: one line an event, in stable text without time stamps, written to a file descriptor of the
 * caller's. Off, a trace point costs one load and one branch.
 */
#pragma once

#include <stdint.h>

enum trace_topic {
	TRACE_PIO = 1 << 0,
	TRACE_MMIO = 1 << 1,
	TRACE_IRQ = 1 << 2,
	TRACE_VIRTIO = 1 << 3,
	TRACE_EXIT = 1 << 4,
};

struct trace {
	unsigned topics; /* or-ed together */
	int fd;
};

#define TRACE(trace, topic, ...)                        \
	do {                                            \
		if ((trace)->topics & (topic))          \
			trace_line(trace, __VA_ARGS__); \
	} while (0)

/* Any thread: a line is one write. What cannot be written is dropped. */
void trace_line(const struct trace *trace, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "pio,mmio,irq,virtio,exit" or "all" as topics: 0 or -EINVAL. */
int trace_parse(const char *text, unsigned *ret_topics);
