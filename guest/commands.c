#include "commands.h"

#include "console.h"
#include "power.h"
#include "rtc146818.h"
#include "str.h"

static int command_help(int argc, char **argv)
{
	for (const struct command *c = commands; c->name != NULL; c++) {
		if (argc > 1 && strcmp(c->name, argv[1]) != 0)
			continue;
		print("%-8s %s\n         %s\n", c->name, c->usage, c->help);
	}
	return 0;
}

/* Never reached: shell_execute() prints the text before it is cut into words. */
static int command_echo(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static int command_date(int argc, char **argv)
{
	struct rtc_time t;

	(void)argc;
	(void)argv;
	if (!rtc_read(&t)) {
		print("date: no real-time clock answers\n");
		return 1;
	}
	print("%04u-%02u-%02u %02u:%02u:%02u\n", t.year, t.month, t.day, t.hour, t.minute, t.second);
	return 0;
}

static int command_exit(int argc, char **argv)
{
	uint64_t code = 0;

	if (argc > 2 || (argc == 2 && (!str_to_u64(argv[1], &code) || code > UINT32_MAX)))
		return shell_usage("exit");
	power_exit((uint32_t)code);
}

static int command_poweroff(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	power_off();
}

static int command_reset(int argc, char **argv)
{
	if (argc == 1 || strcmp(argv[1], "i8042") == 0)
		power_reset(argc == 1 ? RESET_ANY : RESET_I8042);
	if (strcmp(argv[1], "cf9") == 0 || strcmp(argv[1], "acpi") == 0)
		power_reset(RESET_CF9);
	return shell_usage("reset");
}

static int command_panic(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	power_panic("as you wish");
}

const struct command commands[] = {
	{"help", command_help, "[COMMAND]", "this list"},
	{"info", command_info, "", "CPUs, memory, devices, and where each was learnt from"},
	{"cpus", command_cpus, "", "each CPU, whether it is alive, and how many IPIs it has answered"},
	{"selftest", command_selftest, "[NAME]", "all tests, or those whose name begins with NAME"},
	{"blk", command_blk, "list | VERB DISK ...", "disks; 'blk' alone shows the verbs"},
	{"mem", command_mem, "read ADDR [LEN]", "dumps physical memory"},
	{"bench", command_bench, "", "measures exits, interrupts and disk requests"},
	{"date", command_date, "", "the real-time clock"},
	{"echo", command_echo, "TEXT", "prints TEXT"},
	{"exit", command_exit, "[CODE]", "leaves through the debug-exit port"},
	{"poweroff", command_poweroff, "", "ACPI power off"},
	{"reset", command_reset, "[i8042|cf9|acpi]", "resets the machine; alone: tries all ways"},
	{"panic", command_panic, "", "tells pvpanic that we are lost"},
	{"hostile", command_hostile, "list | all | NAME [ROUNDS|forever]",
		"attacks the VMM; all: each that leaves the machine usable"},
	{"crash", command_crash, "ud2|pf|de|gp|triple", "takes an exception that nobody handles"},
	{NULL, NULL, NULL, NULL},
};
