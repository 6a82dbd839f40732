#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "util/bytes.h"

#define OPTIONS_MAX 40
#define HELP_COLUMN 28

/* getopt_long() returns a row's index from here on, above every character. */
#define ROW_BASE 0x100
#define ROW_HELP (ROW_BASE + OPTIONS_MAX)

struct getopt_tables {
	struct option longs[OPTIONS_MAX + 2];
	char shorts[2 * OPTIONS_MAX + 4];
};

static void build_tables(struct getopt_tables *tables, const struct option_row *rows)
{
	char *shorts = tables->shorts;
	unsigned i;

	memset(tables, 0, sizeof(*tables));
	*shorts++ = ':'; /* a missing value is told apart from an unknown option */
	*shorts++ = 'h';
	for (i = 0; i < OPTIONS_MAX && rows[i].name; i++) {
		tables->longs[i] = (struct option){
			.name = rows[i].name,
			.has_arg = rows[i].argument ? required_argument : no_argument,
			.val = (int)(ROW_BASE + i),
		};
		if (rows[i].letter) {
			*shorts++ = rows[i].letter;
			if (rows[i].argument)
				*shorts++ = ':';
		}
	}
	tables->longs[i] = (struct option){.name = "help", .val = ROW_HELP};
}

static const struct option_row *find_row(const struct option_row *rows, int value)
{
	unsigned i;

	if (value >= ROW_BASE)
		return &rows[value - ROW_BASE];
	for (i = 0; rows[i].name; i++) {
		if (rows[i].letter && rows[i].letter == value)
			return &rows[i];
	}
	return NULL;
}

static int take(const struct option_row *row, void *target, const char *value, struct error *error)
{
	void *at = (char *)target + row->at;

	if (row->set)
		return row->set(target, value, error);
	if (row->argument)
		*(const char **)at = value;
	else
		*(bool *)at = true;
	return 0;
}

int options_parse(const struct option_row *rows, int argc, char **argv, void *target, int *ret_operand,
	struct error *error)
{
	struct getopt_tables tables;
	int value, err;

	build_tables(&tables, rows);
	optind = 0; /* GNU: start over */
	opterr = 0;
	while ((value = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) != -1) {
		const struct option_row *row;

		if (value == 'h' || value == ROW_HELP)
			return OPTIONS_HELP;
		if (value == ':') {
			return error_set(
				error, ERROR_USAGE, -EINVAL, "option '%s' needs a value", argv[optind - 1]);
		}
		row = value == '?' ? NULL : find_row(rows, value);
		if (!row && optopt && optopt < ROW_BASE) {
			return error_set(error, ERROR_USAGE, -EINVAL, "unknown option '-%c'", optopt);
		}
		if (!row) {
			return error_set(error, ERROR_USAGE, -EINVAL,
				optopt ? "option '%s' takes no value" : "unknown or ambiguous option '%s'",
				argv[optind - 1]);
		}
		err = take(row, target, row->argument ? optarg : NULL, error);
		if (err)
			return err;
	}
	*ret_operand = optind;
	return 0;
}

static void print_row(const char *name, char letter, const char *argument, const char *help)
{
	int len = letter ? printf("  -%c, --%s", letter, name) : printf("      --%s", name);

	if (argument)
		len += printf(" %s", argument);
	if (len >= HELP_COLUMN) {
		putchar('\n');
		len = 0;
	}
	printf("%*s", HELP_COLUMN - len, "");
	for (; *help; help++) {
		putchar(*help);
		if (*help == '\n')
			printf("%*s", HELP_COLUMN, "");
	}
	putchar('\n');
}

void options_print(const struct option_row *rows)
{
	for (; rows->name; rows++)
		print_row(rows->name, rows->letter, rows->argument, rows->help);
	print_row("help", 'h', NULL, "print this text");
}

int option_bad_value(struct error *error, const char *option, const char *value, const char *want)
{
	return error_set(error, ERROR_USAGE, -EINVAL, "%s '%s': %s", option, value, want);
}

const char *option_value_of(const char *field, const char *key)
{
	size_t len = strlen(key);

	return !strncmp(field, key, len) && field[len] == '=' ? field + len + 1 : NULL;
}
