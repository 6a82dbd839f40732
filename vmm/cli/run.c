/* lodge run: boots a guest and leaves with its status. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/attach.h"
#include "cli/commands.h"
#include "cli/consoles.h"
#include "cli/detach.h"
#include "cli/gdb_socket.h"
#include "cli/guard.h"
#include "cli/run_options.h"
#include "cli/terminal.h"
#include "lodge_control.h"

struct run {
	struct run_options options;
	struct terminal terminal;
	struct consoles consoles;
	struct detach detach;
	struct guard guard;
	struct lodge_instance *instance; /* NULL: the guest has no name */
	int terminal_fd;                 /* where our other half has the terminal; -1: we have it ourselves */
	int report_fd;                   /* -1: none */
	int gdb_fd;                      /* -1: none */
	struct socket_file gdb_file;
	struct lodge_gdb *gdb; /* NULL: nobody may debug the guest */
};

static int open_report(struct run *run, struct error *error)
{
	const char *path = run->options.report;

	if (!path)
		return 0;
	run->report_fd = TEMP_FAILURE_RETRY(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
	if (run->report_fd >= 0)
		return 0;
	return error_set(error, ERROR_USAGE, -errno, "--report: %s: %s", path, strerror(errno));
}

static int open_outputs(struct run *run, struct error *error)
{
	struct run_options *options = &run->options;
	int err = open_report(run, error);

	if (!err)
		err = consoles_open(
			&run->consoles, options->consoles, options->console_count, run->terminal_fd, error);
	if (!err && (options->gdb.path || options->gdb.port))
		err = gdb_socket_open(&options->gdb, &run->gdb_fd, &run->gdb_file, error);
	if (run->instance)
		consoles_add_listener(&run->consoles, lodge_instance_console(run->instance));
	options->config.consoles = run->consoles.list;
	options->config.console_count = run->consoles.count;
	options->config.trace_fd = STDERR_FILENO;
	options->config.started = detach_ready;
	options->config.started_ctx = &run->detach;
	if (!err)
		guard_begin(&run->guard, options, &run->consoles, run->instance,
			run->gdb_fd >= 0 ? &run->gdb_file : NULL, run->report_fd, &options->config);
	return err;
}

/*
 * A name, and with it the sockets and the limits: before the process splits, since a cgroup can only be divided as long as
 * nobody else is in it.
 */
static int open_instance(struct run *run, struct lodge_error *error)
{
	const struct run_options *options = &run->options;
	int err;

	if (!options->name && !options->detach && !options->has_limits)
		return 0;
	err = lodge_instance_new(options->name, options->config.kernel, &run->instance, error);
	if (!err && options->has_limits)
		err = lodge_instance_limit(run->instance, &options->limits, error);
	if (!err)
		run->detach.name = lodge_instance_name(run->instance);
	return err;
}

/* The signals that ask lodge to stop arrive through a descriptor that the library watches; without it, none would. */
static int open_stop_fd(struct run *run, struct error *error)
{
	int *fd = &run->options.config.stop_fd;
	sigset_t stop;

	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGHUP);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	*fd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
	return *fd >= 0 ? 0 : error_set(error, ERROR_VMM, -errno, "signals: %s", strerror(errno));
}

static void ignore_kick(int number)
{
	(void)number;
}

/* This process is ours: a handler in it makes the guest's exits quicker. */
static int install_kick_signal(void)
{
	const struct sigaction action = {.sa_handler = ignore_kick, .sa_flags = SA_RESTART};

	return sigaction(SIGRTMIN, &action, NULL) ? 0 : SIGRTMIN;
}

static void print_registers(const struct lodge_registers *r)
{
	unsigned i;

	fprintf(stderr,
		"  rip %016" PRIx64 "  rsp %016" PRIx64 "  rbp %016" PRIx64 "  rflags %08" PRIx64 "\n"
		"  rax %016" PRIx64 "  rbx %016" PRIx64 "  rcx %016" PRIx64 "  rdx %016" PRIx64 "\n"
		"  rsi %016" PRIx64 "  rdi %016" PRIx64 "  r8  %016" PRIx64 "  r9  %016" PRIx64 "\n"
		"  r10 %016" PRIx64 "  r11 %016" PRIx64 "  r12 %016" PRIx64 "  r13 %016" PRIx64 "\n"
		"  r14 %016" PRIx64 "  r15 %016" PRIx64 "  cr2 %016" PRIx64 "  cr3 %016" PRIx64 "\n"
		"  cr0 %08" PRIx64 "  cr4 %08" PRIx64 "  efer %08" PRIx64 "  cs %04x  ss %04x\n  code",
		r->rip, r->rsp, r->rbp, r->rflags, r->rax, r->rbx, r->rcx, r->rdx, r->rsi, r->rdi, r->r8,
		r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15, r->cr2, r->cr3, r->cr0, r->cr4,
		r->efer, r->cs, r->ss);
	for (i = 0; i < r->code_len; i++)
		fprintf(stderr, " %02x", r->code[i]);
	fprintf(stderr, "%s\n", r->code_len ? "" : " not mapped");
}

static void print_ending(const struct run *run, const struct lodge_result *result)
{
	char text[640];

	if (*result->message) {
		snprintf(text, sizeof(text), "%s: %s", lodge_outcome_name(result->outcome), result->message);
		print_error("run", text);
	}
	if (result->has_registers)
		print_registers(&result->registers);
	if (run->options.verbose) {
		const char *kernel = run->options.config.kernel;

		fprintf(stderr, "lodge: run: %s (%s%s%s): %s, status %d, after %" PRIu64 ".%03" PRIu64 " s\n",
			kernel ? kernel : "lodger", result->kernel_format, *result->firmware ? ", by " : "",
			result->firmware, lodge_outcome_name(result->outcome), result->status,
			result->run_us / 1000000, result->run_us / 1000 % 1000);
	}
}

/* lodge's own failures outrank the guest's end: nobody may take a lost report for a good one. */
static void write_report(struct run *run, struct lodge_result *result)
{
	char text[640];
	int err;

	if (run->report_fd < 0)
		return;
	guard_tell(&run->guard, result);
	err = lodge_report_write(result, run->report_fd);
	if (close(run->report_fd) && !err)
		err = -errno;
	run->report_fd = -1;
	if (!err)
		return;
	snprintf(text, sizeof(text), "--report: %s: %s", run->options.report, strerror(-err));
	print_error("run", text);
	result->status = LODGE_STATUS_VMM_ERROR;
}

static int make_vm(struct run *run, struct lodge_vm **ret_vm, struct lodge_error *error)
{
	const struct lodge_config *config = &run->options.config;
	int err = lodge_vm_new(config, ret_vm, error);

	if (!err && run->gdb_fd >= 0)
		err = lodge_gdb_start(*ret_vm, run->gdb_fd, run->options.gdb_wait, &run->gdb, error);
	if (!err && run->instance)
		err = lodge_instance_serve(run->instance, *ret_vm, config, error);
	return err;
}

static void run_to_end(struct run *run, struct lodge_result *result)
{
	struct lodge_error error;
	struct lodge_vm *vm = NULL;

	if (make_vm(run, &vm, &error)) {
		lodge_gdb_finish(run->gdb, NULL);
		lodge_result_from_error(&error, result);
		print_error("run", error.text);
		write_report(run, result);
	} else {
		if (run->consoles.stdio)
			terminal_make_raw(&run->terminal, STDIN_FILENO);
		lodge_vm_run(vm, result);
		terminal_restore(&run->terminal);
		lodge_gdb_finish(run->gdb, result);
		/* Who waits for the report need not wait for KVM to take the VM apart. */
		print_ending(run, result);
		write_report(run, result);
		if (run->instance)
			lodge_instance_finish(run->instance, result);
	}
	lodge_vm_free(vm);
}

/*
 * A guest with a name, on a terminal, can be left to itself: it gets a process of its own, and we attach. With limits it
 * cannot: we would be in its cgroup, and in the way when that is removed.
 */
static bool attaches(const struct run_options *options)
{
	unsigned i;

	for (i = 0; i < options->console_count && options->consoles[i].where != CONSOLE_STDIO; i++)
		;
	return options->name && !options->detach && !options->has_limits && i < options->console_count &&
	       isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

/* 0: this is the guest's process, and all goes on in it. 1: it is the other half, and leaves with *ret_status. */
static int split(struct run *run, int *ret_status)
{
	bool attached = attaches(&run->options);
	char name[LODGE_NAME_MAX + 1];
	int fds[2] = {-1, -1}, other;

	if (!attached && !run->options.detach)
		return 0;
	if (attached && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds)) {
		print_error("run", strerror(errno));
		*ret_status = LODGE_STATUS_HOST;
		return 1;
	}
	run->detach.keep_stderr = attached;
	guard_before_split(&run->guard, &run->options);
	other = detach_split(&run->detach, name, sizeof(name), ret_status);
	if (!other) {
		if (attached)
			close(fds[0]);
		run->terminal_fd = fds[1];
		return 0;
	}
	lodge_instance_leave(run->instance);
	run->instance = NULL;
	if (attached)
		close(fds[1]);
	if (other > 0 && attached) {
		*ret_status = attach_child("run", name, run->detach.child, fds[0]);
	} else if (other > 0) {
		printf("%s\n", name);
		*ret_status = 0;
	} else if (attached) {
		close(fds[0]);
	}
	return 1;
}

static int run_run(const struct command *command, int argc, char **argv)
{
	struct run run = {
		.report_fd = -1, .gdb_fd = -1, .terminal_fd = -1, .detach = {.ready_fd = -1, .null_fd = -1}};
	struct lodge_result result = {0};
	struct lodge_error instance_error;
	struct error error;
	int err, status = 0;

	guard_note_inherited(&run.guard);
	err = run_options_parse(&run.options, argc, argv, &error);
	if (err == OPTIONS_HELP) {
		command_print_help(command);
		goto done;
	}
	if (!err && open_instance(&run, &instance_error)) {
		print_error(command->name, instance_error.text);
		status = instance_error.status;
		goto done;
	}
	if (!err && split(&run, &status))
		goto done;
	if (!err)
		err = open_outputs(&run, &error);
	if (!err)
		err = open_stop_fd(&run, &error);
	if (err) {
		print_error(command->name, error.text);
		status = error.kind;
		goto done;
	}
	run.options.config.kick_signal = install_kick_signal();
	run_to_end(&run, &result);
	status = result.status;
	if (run.options.config.stop_fd >= 0)
		close(run.options.config.stop_fd);
done:
	if (run.report_fd >= 0)
		close(run.report_fd);
	if (run.gdb_fd >= 0)
		close(run.gdb_fd);
	socket_file_remove(&run.gdb_file);
	consoles_close(&run.consoles);
	lodge_instance_free(run.instance);
	run_options_free(&run.options);
	guard_fini(&run.guard);
	return status;
}

const struct command run_command = {
	.name = "run",
	.operands = "[KERNEL]",
	.kind = OPERAND_FILE,
	.operands_max = 1,
	.help = "boot a guest",
	.about = "Boots KERNEL: a bzImage, an ELF file (PVH, multiboot 1, 64-bit entry) or a multiboot 1\n"
		 "kernel, also compressed by gzip, xz or zstd; without one, lodger, which is built in.\n"
		 "Its console is this terminal; Ctrl-A x stops it, Ctrl-A a sends a Ctrl-A, and Ctrl-A d\n"
		 "leaves a guest with a name to itself.\n",
	.after = "The exit status is the guest's: 0 after a power-off, 1 to 99 as it chose; from 100 on\n"
		 "it tells what else ended the run. See lodge(1).\n",
	.rows = run_option_rows,
	.run = run_run,
};
