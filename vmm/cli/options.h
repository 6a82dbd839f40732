/*
 * Options as a table: one row an option, and one without a name at its end. The parser, the help text and the
 * shells' completion are all driven by it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "util/error.h"

struct option_row {
	const char *name; /* the long name, without its dashes; NULL: the end */
	char letter;      /* the short name, or 0 */
	/*
	 * Its value, as the help has it; NULL: it takes none. The shells complete what is in lower case, and files for
	 * FILE: "exit|restart" is one word of these, "none|file=FILE" too, "path=FILE[,ro]" and "pio|mmio[,...]" are
	 * lists.
	 */
	const char *argument;
	const char *help; /* what it does; a second line follows a newline */
	/* Puts value (NULL without one) into target: 0, or -EINVAL and *error, which names the option. */
	int (*set)(void *target, const char *value, struct error *error);
	/* Without `set`: where in target the value goes as it is, or, without one, that the option was given. */
	size_t at;
};

/* `at` of a member that is a const char *, or a bool. */
#define OPTION_TEXT(type, member) _Generic(&((type *)0)->member, const char ** : offsetof(type, member))
#define OPTION_FLAG(type, member) _Generic(&((type *)0)->member, bool * : offsetof(type, member))

/*
 * Parses argv[1..argc) in GNU fashion: options and operands in any order, "--" ends the options. Operands are
 * moved behind the options: *ret_operand is the index of the first. --help is every command's: it gives
 * OPTIONS_HELP. 0, OPTIONS_HELP, or -EINVAL and *error (ERROR_USAGE).
 */
#define OPTIONS_HELP 1
int options_parse(const struct option_row *rows, int argc, char **argv, void *target, int *ret_operand,
	struct error *error);

/* Prints the table as the body of a help text to stdout. */
void options_print(const struct option_row *rows);

/* "OPTION 'VALUE': what it wants", a usage error: -EINVAL. */
int option_bad_value(struct error *error, const char *option, const char *value, const char *want);

/* What stands behind "KEY=" in a field that begins so; else NULL. */
const char *option_value_of(const char *field, const char *key);
