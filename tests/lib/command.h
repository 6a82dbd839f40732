/* The command line, run as a user runs it: a process, its descriptors, its exit status. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define COMMAND_OUTPUT_MAX (1 << 20)

struct command {
	/* Set before command_start(); all zero: input from /dev/null, both outputs captured. */
	const char *input; /* what goes to stdin, through a pipe; NULL: /dev/null */
	bool keep_input;   /* the pipe stays open when the input was written */
	bool close_stdin;  /* no stdin at all */
	int stdout_fd;     /* instead of the capture; 0: none given */
	/* The run. */
	pid_t pid;
	int stdin_fd, out_fd, err_fd; /* our ends; -1: closed */
	/* The results. */
	int status; /* exit status, or 128 + signal */
	bool timed_out;
	size_t out_len, err_len;
	char out[COMMAND_OUTPUT_MAX];
	char err[COMMAND_OUTPUT_MAX];
};

/* The program under test: $LODGE, or build/lodge. */
const char *command_lodge(void);

/* Zeroed, on the heap; freed with free(). */
struct command *command_new(void);

/* Starts a program; argv ends with NULL. */
void command_start(struct command *command, const char *const argv[]);

/* Moves bytes until the output shows `text` or ends, or seconds have gone. True: it was seen. */
bool command_expect(struct command *command, const char *text, int seconds);

/* Writes to its stdin, as it takes it, while its output is read. */
void command_send(struct command *command, const char *text, size_t len);

/* Moves bytes until it ends and reaps it; after so many seconds it is killed. Returns the status. */
int command_finish(struct command *command, int seconds);

/* `lodge ARGUMENT...` from start to end, in 60 seconds at most; the list ends with NULL. */
int command_call(struct command *command, const char *first, ...) __attribute__((sentinel));

/* Whether its stderr is what a person shall read of an error: one line, which begins with "lodge: ". */
bool command_complained(const struct command *command);
