#include "cli/guard.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "sandbox/violation.h"
#include "util/bytes.h"

static_assert((int)SANDBOX_VCPU == LODGE_THREAD_VCPU && (int)SANDBOX_IO == LODGE_THREAD_IO &&
		      (int)SANDBOX_BLOCK == LODGE_THREAD_BLOCK &&
		      (int)SANDBOX_CONTROL == LODGE_THREAD_CONTROL,
	"the library's kinds of threads are the sandbox's");
static_assert(LAYERS <= LODGE_SANDBOX_MAX, "a place a layer");

/* There is no way back for a thread that cannot be confined, nor for the process. */
static void require(const struct guard *guard, int err, const char *what)
{
	unsigned uid = guard->sandbox.user.uid;
	char text[128];

	if (!err)
		return;
	if (uid && geteuid() != uid)
		snprintf(text, sizeof(text),
			"--user: lodge may not become user %u: that takes CAP_SETUID and CAP_SETGID", uid);
	else
		snprintf(text, sizeof(text), "sandbox: %s: %s; --no-sandbox does without", what,
			strerror(-err));
	print_error("run", text);
	_exit(LODGE_STATUS_VMM_ERROR);
}

/* Paths may have led to them, as /dev/fd/63 does: so they stay until all is open. */
void guard_note_inherited(struct guard *guard)
{
	DIR *folder = opendir("/proc/self/fd");
	const struct dirent *entry;

	while (folder && (entry = readdir(folder))) {
		unsigned fd = (unsigned)strtoul(entry->d_name, NULL, 10);

		if (fd > STDERR_FILENO && fd / 64 < ARRAY_SIZE(guard->inherited) && (int)fd != dirfd(folder))
			guard->inherited[fd / 64] |= UINT64_C(1) << fd % 64;
	}
	if (folder)
		closedir(folder);
}

static void close_inherited(const struct guard *guard)
{
	unsigned fd;

	for (fd = 0; fd < 64 * ARRAY_SIZE(guard->inherited); fd++) {
		if (guard->inherited[fd / 64] & UINT64_C(1) << fd % 64)
			close((int)fd);
	}
}

static void opened(void *ctx)
{
	struct guard *guard = ctx;

	close_inherited(guard);
	require(guard, sandbox_close(&guard->sandbox), "the main thread");
}

static void thread_started(void *ctx, enum lodge_thread thread)
{
	struct guard *guard = ctx;

	require(guard, sandbox_thread(&guard->sandbox, (enum sandbox_thread)thread), "a thread");
}

static bool is_socket(int fd)
{
	struct stat st;

	return fd >= 0 && !fstat(fd, &st) && S_ISSOCK(st.st_mode);
}

static unsigned needs_of(const struct lodge_config *config, const struct consoles *consoles,
	const struct lodge_instance *instance, const struct socket_file *debugger)
{
	unsigned needs = instance || debugger ? SANDBOX_NEEDS_CLIENTS | SANDBOX_NEEDS_SOCKET : 0, i;

	for (i = 0; i < consoles->count; i++) {
		const struct lodge_console *console = &consoles->list[i];

		if (console->kind == LODGE_CONSOLE_LISTEN)
			needs |= SANDBOX_NEEDS_CLIENTS | SANDBOX_NEEDS_SOCKET;
		if (is_socket(console->in) || is_socket(console->out))
			needs |= SANDBOX_NEEDS_SOCKET;
	}
	needs |= debugger ? SANDBOX_NEEDS_DEBUGGER : 0;
	needs |= config->disk_count ? SANDBOX_NEEDS_DISK : 0;
	return needs | (config->pc_testdev ? SANDBOX_NEEDS_TESTDEV : 0);
}

static void add_folders(struct filter_config *filter, const struct consoles *consoles,
	const struct lodge_instance *instance, const struct socket_file *debugger)
{
	unsigned i;

	static_assert(
		LODGE_FOLDERS_MAX + ARRAY_SIZE(consoles->sockets) + 1 <= SANDBOX_FOLDERS_MAX, "room for all");
	if (instance)
		filter->folder_count = lodge_instance_folders(instance, filter->folders);
	for (i = 0; i < consoles->socket_count; i++)
		filter->folders[filter->folder_count++] = consoles->sockets[i].folder;
	if (debugger && debugger->name)
		filter->folders[filter->folder_count++] = debugger->folder;
}

void guard_before_split(struct guard *guard, const struct run_options *options)
{
	if (!options->no_sandbox)
		guard->sandbox.layers = layers_unshare_pid();
}

void guard_begin(struct guard *guard, const struct run_options *options, const struct consoles *consoles,
	const struct lodge_instance *instance, const struct socket_file *debugger, int report_fd,
	struct lodge_config *config)
{
	struct violation_config violation = {
		.status = LODGE_STATUS_VMM_ERROR, .report_fd = report_fd, .terminal_fd = -1};
	struct sandbox *sandbox = &guard->sandbox;

	guard->on = !options->no_sandbox;
	if (!guard->on)
		return;
	sandbox->user = (struct layer_user){options->user.uid, options->user.gid};
	sandbox->filter = (struct filter_config){
		.needs = needs_of(config, consoles, instance, debugger), .pid = getpid()};
	add_folders(&sandbox->filter, consoles, instance, debugger);
	if (consoles->stdio && !tcgetattr(STDIN_FILENO, &violation.terminal))
		violation.terminal_fd = STDIN_FILENO;
	/* With a second arena, free() may open a file: to see whether it can give memory back (glibc's heap_trim()). */
	mallopt(M_ARENA_MAX, 1);
	violation_install(&violation);
	config->opened = opened;
	config->thread_started = thread_started;
	config->guard_ctx = guard;
	sandbox_begin(sandbox);
}

void guard_tell(const struct guard *guard, struct lodge_result *result)
{
	unsigned i;

	result->sandbox_count = 0;
	for (i = 0; guard->on && i < LAYERS; i++) {
		if (guard->sandbox.layers & 1u << i)
			result->sandbox[result->sandbox_count++] = layer_name((enum sandbox_layer)i);
	}
}

void guard_fini(struct guard *guard)
{
	sandbox_fini(&guard->sandbox);
}
