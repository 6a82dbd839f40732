#include "cli/commands.h"

#include <errno.h>
#include <stdio.h>

const struct option_row no_options[] = {{0}};

void command_print_help(const struct command *command)
{
	printf("Usage: lodge %s%s%s%s\n\n%s\n", command->name, command->rows->name ? " [OPTION]..." : "",
		*command->operands ? " " : "", command->operands, command->about);
	options_print(command->rows);
	if (command->after)
		printf("\n%s", command->after);
}

static int check_operands(const struct command *command, int count, char **operands, struct error *error)
{
	if (count < command->operands_min)
		return error_set(error, ERROR_USAGE, -EINVAL, "it needs %s; see lodge %s --help",
			command->operands, command->name);
	if (command->operands_max >= 0 && count > command->operands_max) {
		if (!command->operands_max)
			return error_set(error, ERROR_USAGE, -EINVAL, "'%s': %s takes no operands",
				operands[0], command->name);
		return error_set(error, ERROR_USAGE, -EINVAL,
			"'%s': one operand too many; see lodge %s --help", operands[command->operands_max],
			command->name);
	}
	return 0;
}

bool command_parse(
	const struct command *command, int argc, char **argv, void *target, int *ret_operand, int *ret_status)
{
	struct error error;
	int err = options_parse(command->rows, argc, argv, target, ret_operand, &error);

	*ret_status = 0;
	if (err == OPTIONS_HELP) {
		command_print_help(command);
		return false;
	}
	if (!err)
		err = check_operands(command, argc - *ret_operand, argv + *ret_operand, &error);
	if (!err)
		return true;
	print_error(command->name, error.text);
	*ret_status = error.kind;
	return false;
}
