/* lodge: the command line. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "lodge.h"
#include "util/bytes.h"

const struct command *const commands[] = {
	&run_command,
	&attach_command,
	&list_command,
	&stats_command,
	&top_command,
	&set_command,
	&pause_command,
	&resume_command,
	&reset_command,
	&nmi_command,
	&stop_command,
	&wait_command,
	&logs_command,
	&info_command,
	&completion_command,
	&version_command,
	&help_command,
	NULL,
};

static int run_help(const struct command *command, int argc, char **argv)
{
	const struct command *const *at;
	int operand, status;

	if (!command_parse(command, argc, argv, NULL, &operand, &status))
		return status;
	printf("Usage: lodge COMMAND [ARGUMENT]...\n\n"
	       "Runs virtual machines on Linux KVM.\n\n");
	for (at = commands; *at; at++)
		printf("  %-10s %s\n", (*at)->name, (*at)->help);
	printf("\n`lodge COMMAND --help` tells more of each, and lodge(1) all of it.\n");
	return 0;
}

const struct command help_command = {
	.name = "help",
	.operands = "",
	.help = "print this text",
	.about = "Lists the commands.\n",
	.rows = no_options,
	.run = run_help,
};

static int run_version(const struct command *command, int argc, char **argv)
{
	int operand, status;

	if (!command_parse(command, argc, argv, NULL, &operand, &status))
		return status;
	printf("lodge %s\n", lodge_version());
	return 0;
}

const struct command version_command = {
	.name = "version",
	.operands = "",
	.help = "print the version",
	.about = "Prints lodge's version.\n",
	.rows = no_options,
	.run = run_version,
};

/*
 * A caller may close any of the standard descriptors. /dev/null takes their place, so that no disk or socket
 * gets their numbers and a message meant for stderr never lands in an image.
 */
static void fill_standard_fds(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", O_RDWR);
	}
}

/* What a command printed is only good if it arrived. */
static int finish_stdout(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	fprintf(stderr, "lodge: standard output: %s\n", strerror(errno));
	return status ? status : LODGE_STATUS_VMM_ERROR;
}

static int dispatch(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "help";
	const struct command *const *at;

	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	if (!strcmp(name, "--version"))
		name = "version";
	for (at = commands; *at; at++) {
		if (!strcmp(name, (*at)->name))
			return (*at)->run(*at, MAX(argc - 1, 1), argc > 1 ? argv + 1 : argv);
	}
	fprintf(stderr, "lodge: '%s' is not a command; see `lodge help`\n", name);
	return LODGE_STATUS_USAGE;
}

int main(int argc, char **argv)
{
	fill_standard_fds();
	/* Both are errors to report: a reader that went away, a file size limit (ulimit -f). */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return finish_stdout(dispatch(argc, argv));
}
