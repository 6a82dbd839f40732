/* An error for a person: which row of the exit-status contract it belongs to, and one line of text. */
#pragma once

#include <stdarg.h>

/* The values are the exit statuses of docs/exit-status.md. */
enum error_kind {
	ERROR_NONE = 0,
	ERROR_USAGE = 100, /* bad arguments */
	ERROR_HOST = 101,  /* the host's KVM, its permissions, its limits */
	ERROR_IMAGE = 102, /* a kernel, disk, ROM or config that cannot be used */
	ERROR_VMM = 103,   /* lodge itself failed while running */
};

struct error {
	enum error_kind kind;
	char text[512]; /* one line, no newline, names the file or option first */
};

/*
 * Fills *error (which may be NULL) and returns err, a negative errno, so that a failing function ends
 * with `return error_set(...)`. The text says what failed, on what, why, and what to do about it. For want of
 * descriptors, whatever it was that could not be opened, kind becomes ERROR_VMM, and the text tells of the limit.
 */
int error_set(struct error *error, enum error_kind kind, int err, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
