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

static const struct {
	const char *name;
	const char *help;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"run", "boot a guest", command_run},
	{"info", "what this host's KVM offers, and what lodge uses of it", command_info},
	{"version", "print the version", command_version},
	{"help", "print this text", command_help},
};

int command_help(int argc, char **argv)
{
	unsigned i;

	(void)argc;
	(void)argv;
	printf("Usage: lodge COMMAND [ARGUMENT]...\n\n"
	       "Runs virtual machines on Linux KVM.\n\n");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].help);
	printf("\n`lodge COMMAND --help` tells more of each, and lodge(1) all of it.\n");
	return 0;
}

int command_version(int argc, char **argv)
{
	struct error error;
	int operand, err = options_parse(NULL, 0, argc, argv, NULL, &operand, &error);

	if (err == OPTIONS_HELP) {
		printf("Usage: lodge version\n\nPrints lodge's version.\n");
		return 0;
	}
	if (!err && operand < argc)
		err = error_set(
			&error, ERROR_USAGE, -EINVAL, "'%s': version takes no operands", argv[operand]);
	if (err) {
		print_error("version", error.text);
		return error.kind;
	}
	printf("lodge %s\n", lodge_version());
	return 0;
}

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
	unsigned i;

	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	if (!strcmp(name, "--version"))
		name = "version";
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(name, commands[i].name))
			return commands[i].run(MAX(argc - 1, 1), argc > 1 ? argv + 1 : argv);
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
