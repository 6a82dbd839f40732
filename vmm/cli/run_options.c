#include "cli/run_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/disk_options.h"
#include "cli/limits.h"
#include "cli/user.h"
#include "util/bytes.h"
#include "util/size.h"
#include "util/trace.h"

static int set_memory(void *target, const char *value, struct error *error)
{
	struct run_options *options = target;

	if (size_parse(value, &options->config.memory))
		return option_bad_value(error, "-m", value, "not a size, such as 512M or 2G");
	return 0;
}

static int set_cpus(void *target, const char *value, struct error *error)
{
	struct run_options *options = target;
	uint64_t cpus;

	if (number_parse(value, 1, LODGE_CPUS_MAX, &cpus))
		return option_bad_value(error, "-c", value, "a guest can have 1 to 64 CPUs");
	options->config.cpus = (unsigned)cpus;
	return 0;
}

static int set_format(void *target, const char *value, struct error *error)
{
	struct run_options *options = target;

	if (!strcmp(value, "flat"))
		options->config.format = LODGE_FORMAT_FLAT;
	else if (!strcmp(value, "auto"))
		options->config.format = LODGE_FORMAT_AUTO;
	else
		return option_bad_value(error, "--format", value, "not one of auto, flat");
	return 0;
}

static int set_boot(void *target, const char *value, struct error *error)
{
	struct run_options *options = target;

	if (strcmp(value, "disk") != 0)
		return option_bad_value(error, "--boot", value, "not one of disk");
	options->config.format = LODGE_FORMAT_BOOT_SECTOR;
	return 0;
}

static int parse_console(const char *value, struct console_option *ret_console, struct error *error)
{
	static const struct {
		const char *name;
		enum console_where where;
		bool has_path;
	} kinds[] = {
		{"stdio", CONSOLE_STDIO, false},
		{"none", CONSOLE_NONE, false},
		{"pty", CONSOLE_PTY, false},
		{"file", CONSOLE_FILE, true},
		{"socket", CONSOLE_SOCKET, true},
	};
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *path = option_value_of(value, kinds[i].name);

		if (kinds[i].has_path ? path && *path : !strcmp(value, kinds[i].name)) {
			*ret_console = (struct console_option){.where = kinds[i].where, .path = path};
			return 0;
		}
	}
	return option_bad_value(
		error, "--console", value, "not one of stdio, none, pty, file=FILE, socket=PATH");
}

static int set_cpu_share(void *target, const char *value, struct error *error)
{
	struct run_options *options = target;
	uint64_t share;
	int err = limit_parse(&cpu_share_limit, "--cpu-share", value, &share, error);

	if (!err)
		options->limits.cpu_share = (unsigned)share;
	return err;
}

static int set_cpu_max(void *target, const char *value, struct error *error)
{
	struct run_options *options = target;
	uint64_t percent;
	int err = limit_parse(&cpu_max_limit, "--cpu-max", value, &percent, error);

	if (!err)
		options->limits.cpu_max_percent = (unsigned)percent;
	return err;
}

static int set_memory_max(void *target, const char *value, struct error *error)
{
	struct run_options *options = target;

	return limit_parse(&memory_max_limit, "--memory-max", value, &options->limits.memory_max, error);
}

static int set_console(void *target, const char *value, struct error *error)
{
	struct run_options *options = target;
	struct console_option console;
	int err = parse_console(value, &console, error);
	unsigned i;

	if (err)
		return err;
	if (options->console_count == CONSOLE_OPTIONS_MAX)
		return option_bad_value(error, "--console", value, "there can be 8 consoles at most");
	for (i = 0; i < options->console_count; i++) {
		enum console_where other = options->consoles[i].where;

		if (console.where == CONSOLE_NONE || other == CONSOLE_NONE)
			return option_bad_value(error, "--console", value, "none goes with no other console");
		if (console.where == CONSOLE_STDIO && other == CONSOLE_STDIO)
			return option_bad_value(error, "--console", value, "given twice");
	}
	options->consoles[options->console_count++] = console;
	return 0;
}

static int set_timeout(void *target, const char *value, struct error *error)
{
	struct run_options *options = target;

	if (seconds_parse(value, &options->config.timeout_ms) || !options->config.timeout_ms)
		return option_bad_value(
			error, "--timeout", value, "not a time in seconds, such as 30 or 0.5");
	return 0;
}

static int set_on_reset(void *target, const char *value, struct error *error)
{
	struct run_options *options = target;

	options->config.restart = !strcmp(value, "restart");
	if (!options->config.restart && strcmp(value, "exit") != 0)
		return option_bad_value(error, "--on-reset", value, "not one of exit, restart");
	return 0;
}

static int set_debug_exit(void *target, const char *value, struct error *error)
{
	struct run_options *options = target;

	options->config.qemu_debug_exit = !strcmp(value, "qemu");
	if (!options->config.qemu_debug_exit && strcmp(value, "lodge") != 0)
		return option_bad_value(error, "--debug-exit", value, "not one of lodge, qemu");
	return 0;
}

static int set_device(void *target, const char *value, struct error *error)
{
	struct run_options *options = target;

	if (strcmp(value, "pc-testdev") != 0)
		return option_bad_value(error, "--device", value, "not one of pc-testdev");
	options->config.pc_testdev = true;
	return 0;
}

static int set_irqchip(void *target, const char *value, struct error *error)
{
	static const char *const names[] = {[LODGE_IRQCHIP_AUTO] = "auto",
		[LODGE_IRQCHIP_FULL] = "full",
		[LODGE_IRQCHIP_SPLIT] = "split"};
	struct run_options *options = target;
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(value, names[i])) {
			options->config.irqchip = (enum lodge_irqchip)i;
			return 0;
		}
	}
	return option_bad_value(error, "--irqchip", value, "not one of auto, full, split");
}

static int set_trace(void *target, const char *value, struct error *error)
{
	struct run_options *options = target;

	if (trace_parse(value, &options->config.trace))
		return option_bad_value(
			error, "--trace", value, "not a list of pio, mmio, irq, virtio, exit, all");
	return 0;
}

static int set_user(void *target, const char *value, struct error *error)
{
	struct user_option *user = &((struct run_options *)target)->user;
	int err = user_parse(value, &user->uid, &user->gid);

	if (err)
		return option_bad_value(error, "--user", value,
			err == -EPERM ? "lodge would be root there"
				      : "no user of /etc/passwd, nor UID[:GID]");
	user->given = true;
	return 0;
}

static int set_gdb(void *target, const char *value, struct error *error)
{
	return gdb_option_parse(value, &((struct run_options *)target)->gdb, error);
}

#define TEXT(member) OPTION_TEXT(struct run_options, member)
#define FLAG(member) OPTION_FLAG(struct run_options, member)

const struct option_row run_option_rows[] = {
	{"memory", 'm', "SIZE", "guest memory, 16M to 1T; default 128M", .set = set_memory},
	{"cpus", 'c', "N", "virtual CPUs, 1 to 64; default 1", .set = set_cpus},
	{"append", 0, "TEXT", "the kernel's command line", .at = TEXT(config.append)},
	{"initrd", 0, "FILE", "initial RAM disk", .at = TEXT(config.initrd)},
	{"boot", 0, "disk",
		"no KERNEL: the boot sector of the first --disk, as a PC's BIOS starts\n"
		"it, with a BIOS on the serial console: latchkey's",
		.set = set_boot},
	{"firmware", 0, "latchkey|FILE",
		"boot through a ROM, from the reset vector on: latchkey (lodge's own,\n"
		"built in) or a file",
		.at = TEXT(config.firmware)},
	{"format", 0, "auto|flat",
		"what KERNEL is: auto (default: as its magic says),\n"
		"flat (16-bit code, loaded and entered at 1000:0000)",
		.set = set_format},
	{"disk", 0, "path=FILE[,ro][,serial=TEXT][,direct][,poll=off][,aio=ENGINE]",
		"a virtio disk: a raw image or a block device; up to 8\n"
		"ro: read-only; direct: past the host's page cache; poll=off: sleeps\n"
		"until answers come, and never looks out for those that are near;\n"
		"ENGINE: who does the work, io_uring (default, where the host has\n"
		"it) or threads; a comma in FILE is written twice",
		.set = disk_option_set},
	{"disk-rate", 0, "[DISK:]bytes=SIZE[,requests=N]",
		"what the disks, or only disk DISK (0, 1...), may do a second:\n"
		"bytes read and written, requests; either may be missing",
		.set = disk_rate_option_set},
	{"cpu-share", 0, "N",
		"share of CPUs that others want too, 1 to 10000; 100 is everybody's;\n"
		"this and the next two are limits by cgroup v2",
		.set = set_cpu_share},
	{"cpu-max", 0, "PERCENT", "most CPU time, in percent of one CPU, such as 50% or 250%",
		.set = set_cpu_max},
	{"memory-max", 0, "SIZE", "most memory, lodge's own and the page cache included",
		.set = set_memory_max},
	{"console", 0, "stdio|none|file=FILE|pty|socket=PATH",
		"where the serial console is; default stdio; up to 8\n"
		"socket: a unix socket for many to connect to",
		.set = set_console},
	{"name", 'n', "NAME", "so that others find it: lodge list, attach, stop...", .at = TEXT(name)},
	{"detach", 'd', NULL, "leave it running, and print its name", .at = FLAG(detach)},
	{"report", 0, "FILE", "write what the guest did to FILE, as JSON", .at = TEXT(report)},
	{"timeout", 0, "SECONDS", "stop the guest after so long, with status 114", .set = set_timeout},
	{"on-reset", 0, "exit|restart", "when the guest resets; default exit, with status 110",
		.set = set_on_reset},
	{"debug-exit", 0, "lodge|qemu",
		"what a write to port 0xf4 means: lodge (default: the status),\n"
		"qemu (the status is twice the value plus 1)",
		.set = set_debug_exit},
	{"device", 0, "pc-testdev", "add a device: QEMU's, for kvm-unit-tests", .set = set_device},
	{"pit", 0, NULL, "add an i8254 timer; multiboot and flat kernels have one", .at = FLAG(config.pit)},
	{"irqchip", 0, "auto|full|split",
		"interrupt controllers: full (a PC's, with i8259s, in KVM), split (the\n"
		"IOAPIC in lodge, no i8259: quicker), auto (default: by the kernel's format)",
		.set = set_irqchip},
	{"pci", 0, NULL,
		"disks on a PCI bus (virtio-pci with MSI-X), in place of virtio-mmio: an\n"
		"interrupt then costs the guest no exit",
		.at = FLAG(config.pci)},
	{"no-acpi", 0, NULL, "no ACPI tables: the kernel finds the machine by FDT or MP table",
		.at = FLAG(config.no_acpi)},
	{"overcommit", 0, NULL, "allow more guest memory than the host has", .at = FLAG(config.overcommit)},
	{"hugepages", 0, NULL, "guest memory in huge pages of 2 MiB, which the host sets aside",
		.at = FLAG(config.hugepages)},
	{"no-sandbox", 0, NULL, "run without the sandbox; the report then says so", .at = FLAG(no_sandbox)},
	{"user", 0, "USER",
		"started as root, become this user when all is open:\n"
		"a name of /etc/passwd, UID or UID:GID",
		.set = set_user},
	{"trace", 0, "pio|mmio|irq|virtio|exit|all[,...]", "a line an event on stderr", .set = set_trace},
	{"gdb", 0, "unix:PATH|tcp:127.0.0.1:PORT", "let a debugger in there: `target remote PATH` in gdb",
		.set = set_gdb},
	{"gdb-wait", 0, NULL, "do not begin before that debugger says `continue`", .at = FLAG(gdb_wait)},
	{"kvm-device", 0, "FILE", "KVM's device; default /dev/kvm", .at = TEXT(config.kvm_device)},
	{"verbose", 'v', NULL, "say on stderr what kind of kernel ran, and how it ended",
		.at = FLAG(verbose)},
	{0},
};

static int check_limits(struct run_options *options, struct error *error)
{
	const struct lodge_limits *limits = &options->limits;
	struct lodge_error found;
	int err = lodge_limits_check(limits, &options->config, &found);

	options->has_limits = limits->cpu_share || limits->cpu_max_percent || limits->memory_max;
	return err ? error_set(error, ERROR_USAGE, err, "%s", found.text) : 0;
}

int run_options_parse(struct run_options *options, int argc, char **argv, struct error *error)
{
	int operand, err;
	unsigned i;

	*options = (struct run_options){0};
	lodge_config_init(&options->config);
	err = options_parse(run_option_rows, argc, argv, options, &operand, error);
	if (err)
		return err;
	if (argc - operand > 1) {
		return error_set(error, ERROR_USAGE, -EINVAL,
			"'%s': one kernel is enough; its own arguments go into --append", argv[operand + 1]);
	}
	if (!options->console_count && !options->detach)
		options->console_count = 1; /* the zeroed entry: stdio */
	for (i = 0; options->detach && i < options->console_count; i++) {
		if (options->consoles[i].where == CONSOLE_STDIO) {
			return error_set(error, ERROR_USAGE, -EINVAL,
				"--detach: leaves no terminal for --console stdio; `lodge attach` comes back to it");
		}
	}
	if (options->user.given && (geteuid() || options->no_sandbox)) {
		return error_set(error, ERROR_USAGE, -EINVAL,
			geteuid()
				? "--user: only root can become another user"
				: "--user: it is the sandbox that makes lodge another user; leave --no-sandbox out");
	}
	if (options->gdb_wait && !options->gdb.path && !options->gdb.port)
		return error_set(error, ERROR_USAGE, -EINVAL, "--gdb-wait: there is no --gdb to wait at");
	if (operand < argc)
		options->config.kernel = argv[operand];
	else if (!options->disk_count && options->config.format != LODGE_FORMAT_BOOT_SECTOR)
		options->disk_count = 1; /* the zeroed entry: a scratch disk to play with */
	if (options->rated_disks > options->disk_count) {
		return error_set(error, ERROR_USAGE, -EINVAL,
			"--disk-rate: there is no disk %u; the disks are counted from 0, as --disk gives them",
			options->rated_disks - 1);
	}
	for (i = 0; i < options->disk_count; i++)
		options->disks[i].rate = options->rates[i];
	options->config.disks = options->disks;
	options->config.disk_count = options->disk_count;
	return check_limits(options, error);
}

void run_options_free(struct run_options *options)
{
	while (options->owned_count)
		free(options->owned[--options->owned_count]);
}
