/*
 * lodge completion: what a shell is to know of the commands, as their rows have it; completion.bash and completion.zsh
 * are the code that goes by it.
 */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "lodge.h"

/* completion_scripts.S */
extern const char completion_bash[], completion_zsh[];

#define SHELLS "bash|zsh"

/* Operands in the notation of an option's argument. */
static const char *const operand_values[] = {
	[OPERAND_NONE] = "",
	[OPERAND_FILE] = "FILE",
	[OPERAND_GUEST] = "GUEST",
	[OPERAND_SETTING] = "cpu-share=N|cpu-max=PERCENT|memory-max=SIZE|disk-rate=RATE",
	[OPERAND_SHELL] = SHELLS,
};

static void print_bash_command(const struct command *command)
{
	const struct option_row *row;

	printf("\t%s)\n\t\tfirst='%s' rest='%s' options='--help|-h", command->name,
		operand_values[command->kind], operand_values[command->rest]);
	for (row = command->rows; row->name; row++) {
		printf("|--%s", row->name);
		if (row->letter)
			printf("|-%c", row->letter);
	}
	printf("'\n\t\tcase ${2-} in\n");
	for (row = command->rows; row->name; row++) {
		if (row->argument && row->letter)
			printf("\t\t--%s | -%c) value='%s' ;;\n", row->name, row->letter, row->argument);
		else if (row->argument)
			printf("\t\t--%s) value='%s' ;;\n", row->name, row->argument);
	}
	printf("\t\tesac\n\t\t;;\n");
}

static void print_bash(void)
{
	const struct command *const *at;

	printf("# Completion of lodge(1) for bash; `lodge completion bash` has printed it.\n\n"
	       "_lodge_commands='");
	for (at = commands; *at; at++)
		printf("%s%s", at == commands ? "" : "|", (*at)->name);
	printf("'\n\n# Sets what is known of the command $1, and the value of its option $2 if that has one.\n"
	       "_lodge_table()\n{\n\toptions='' first='' rest=''\n\tcase $1 in\n");
	for (at = commands; *at; at++)
		print_bash_command(*at);
	printf("\tesac\n}\n%s", completion_bash);
}

/* The first line of a text, for between single quotes and brackets. */
static void print_zsh_text(const char *text)
{
	for (; *text && *text != '\n'; text++) {
		if (*text == '\'')
			printf("'\\''");
		else if (strchr("[]\\", *text))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

static void print_zsh_option(const char *name, char letter, const char *argument, const char *help)
{
	printf(" \\\n\t\t\t'*'");
	if (letter)
		printf("{-%c%s,--%s%s}", letter, argument ? "+" : "", name, argument ? "=" : "");
	else
		printf("--%s%s", name, argument ? "=" : "");
	printf("'[");
	print_zsh_text(help);
	printf("]");
	if (argument)
		printf(":value: _lodge_offer \"");
	/* A colon would begin another value. */
	for (; argument && *argument; argument++)
		printf(*argument == ':' ? "\\:" : "%c", *argument);
	printf(argument ? "\"'" : "'");
}

static void print_zsh_command(const struct command *command)
{
	const struct option_row *row;

	printf("\t(%s)\n\t\t_arguments -s -S", command->name);
	for (row = command->rows; row->name; row++)
		print_zsh_option(row->name, row->letter, row->argument, row->help);
	print_zsh_option("help", 'h', NULL, "print help");
	if (command->kind != OPERAND_NONE)
		printf(" \\\n\t\t\t'1:operand: _lodge_offer \"%s\"'", operand_values[command->kind]);
	if (command->rest != OPERAND_NONE)
		printf(" \\\n\t\t\t'*:operand: _lodge_offer \"%s\"'", operand_values[command->rest]);
	printf("\n\t\t;;\n");
}

static void print_zsh(void)
{
	const struct command *const *at;

	printf("#compdef lodge\n"
	       "# Completion of lodge(1) for zsh; `lodge completion zsh` has printed it.\n\n"
	       "_lodge_commands=(\n");
	for (at = commands; *at; at++) {
		printf("\t'%s:", (*at)->name);
		print_zsh_text((*at)->help);
		printf("'\n");
	}
	printf(")\n\n_lodge_arguments()\n{\n\tcase $words[1] in\n");
	for (at = commands; *at; at++)
		print_zsh_command(*at);
	printf("\tesac\n}\n%s", completion_zsh);
}

static int run_completion(const struct command *command, int argc, char **argv)
{
	char text[128];
	int operand, status;

	if (!command_parse(command, argc, argv, NULL, &operand, &status))
		return status;
	if (!strcmp(argv[operand], "bash")) {
		print_bash();
		return 0;
	}
	if (!strcmp(argv[operand], "zsh")) {
		print_zsh();
		return 0;
	}
	snprintf(text, sizeof(text), "'%s': not one of bash, zsh", argv[operand]);
	print_error(command->name, text);
	return LODGE_STATUS_USAGE;
}

const struct command completion_command = {
	.name = "completion",
	.operands = SHELLS,
	.kind = OPERAND_SHELL,
	.operands_min = 1,
	.operands_max = 1,
	.help = "print a shell's completion of all this",
	.about = "Prints the script that completes lodge's commands, options, files and guests in a shell.\n"
		 "`make install` puts both where the shells look; else: source <(lodge completion bash)\n",
	.rows = no_options,
	.run = run_completion,
};
