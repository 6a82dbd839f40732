/* The processes that are measured. What fails ends the program, with a line on stderr. */
#pragma once

#include <sys/types.h>

#define PROCESS_STATUS_SIGNAL 128 /* plus the signal, as a shell has it */

double now_us(void);

/* Prints "bench: ..." and exits with 1. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/*
 * Starts argv, which ends with NULL, with these descriptors as its stdin and stdout; -1: /dev/null. Its other
 * descriptors are closed, but for stderr. It is killed when this process ends, however that comes.
 */
pid_t process_start(char *const argv[], int in, int out);

/* Waits for its end: its status, or 128 + signal. */
int process_wait(pid_t pid);

/* ... and fails if that is not the status expected. */
void process_expect(pid_t pid, const char *name, int status);

/* Kills it, if it still runs, and reaps it. */
void process_kill(pid_t pid);

/* Reads from fd until text was seen, for 60 s at most; fails otherwise. What comes behind it may be lost. */
void process_read_until(int fd, const char *name, const char *text);
