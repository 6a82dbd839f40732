/* The commands, and the line editor before them. */
#pragma once

#include <stddef.h>

#define SHELL_ARGS 16

/* A command gets its words, argv[0] being its name, and returns 0 or, having said why, not. */
struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage; /* the words after the name */
	const char *help;
};

/* Reads lines for ever. */
__attribute__((noreturn)) void shell_run(void);

/* One line: 0 if all went well. The line is cut into words in place. */
int shell_execute(char *line);

/* "CMD;CMD;...": returns how many failed. */
unsigned shell_execute_list(const char *list);

/* Says "NAME: usage: NAME USAGE" and returns 1. */
int shell_usage(const char *name);
