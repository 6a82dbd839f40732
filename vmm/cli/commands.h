/*
 * The commands, each a row: what `lodge help`, --help, the parser and the shells' completion know of it. A command
 * gets its own argv, whose [0] is its name, and returns the exit status.
 */
#pragma once

#include <stdbool.h>

#include "cli/options.h"

enum operand_kind { OPERAND_NONE, OPERAND_FILE, OPERAND_GUEST, OPERAND_SETTING, OPERAND_SHELL };

struct command {
	const char *name;
	const char *operands;   /* in the usage line, such as "NAME..."; "": none */
	enum operand_kind kind; /* of the first operand, and of others unless `rest` says */
	enum operand_kind rest;
	int operands_min, operands_max; /* max -1: any number */
	const char *help;               /* a line */
	const char *about;              /* the text of --help above the options, each line ended */
	const char *after;              /* and below them; NULL: nothing */
	const struct option_row *rows;
	int (*run)(const struct command *command, int argc, char **argv);
};

extern const struct command run_command, attach_command, list_command, pause_command, resume_command,
	stop_command, reset_command, nmi_command, wait_command, logs_command, stats_command, top_command,
	set_command, info_command, completion_command, version_command, help_command;

/* main.c: all of them, in the order of `lodge help`; NULL ends it. */
extern const struct command *const commands[];

/* command.c: for commands that have none; and the text of --help, on stdout. */
extern const struct option_row no_options[];
void command_print_help(const struct command *command);

/*
 * Parses argv into target, by the command's rows, and counts the operands: true, and the index of the first one, when
 * the command shall go on. Else *ret_status is what to leave with; the help or the error was printed.
 */
bool command_parse(const struct command *command, int argc, char **argv, void *target, int *ret_operand,
	int *ret_status);

/* message.c: prints "lodge: COMMAND: TEXT" to stderr. */
void print_error(const char *command, const char *text);
