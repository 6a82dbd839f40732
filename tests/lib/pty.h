/* A program on a terminal of its own, with the test at the other end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PTY_SEEN_MAX (1 << 17)

struct pty {
	int master, slave;
	pid_t pid;
	size_t seen_len;
	char seen[PTY_SEEN_MAX]; /* what the program has printed */
};

/* False where no pty can be had (a bare chroot has no /dev/pts), which is said. */
bool pty_open(struct pty *pty);
void pty_close(struct pty *pty); /* kills the program */

/* Starts a program on it; argv ends with NULL. What was seen before is forgotten. */
void pty_start(struct pty *pty, const char *const argv[]);

/* Reads until the text has been seen: false after 20 seconds without it. */
bool pty_expect(struct pty *pty, const char *text);

void pty_type(struct pty *pty, const char *text);

/* Reads until the program ends: its exit status, or -1 if a signal killed it or it goes on for 60 seconds. */
int pty_finish(struct pty *pty);
