/*
 * What each kind of thread may call: one allow-list a kind, made of the configuration that runs, as a seccomp(2)
 * program. All else ends the process (violation.h). docs/sandbox.md has the lists in words.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <sys/types.h>

enum sandbox_thread {
	SANDBOX_VCPU,
	SANDBOX_IO,
	SANDBOX_BLOCK,
	SANDBOX_CONTROL,
	SANDBOX_MAIN, /* what it may, a thread that has just begun may too */
	SANDBOX_THREADS,
};

/* "vCPU", "main": for a line to a person; NULL for what is none. */
const char *sandbox_thread_name(unsigned thread);

/* What a configuration needs besides the common calls: it has the thing of that name. */
enum {
	SANDBOX_NEEDS_DISK = 1 << 0,
	SANDBOX_NEEDS_SOCKET = 1 << 1,   /* an open one: it is read and written */
	SANDBOX_NEEDS_TESTDEV = 1 << 2,  /* pc-testdev, which remaps a page of the guest's */
	SANDBOX_NEEDS_CLIENTS = 1 << 3,  /* a socket that listens: clients are accepted */
	SANDBOX_NEEDS_DEBUGGER = 1 << 4, /* a debugger is let in: it has the guest's registers */
};

#define SANDBOX_FOLDERS_MAX 16

struct filter_config {
	unsigned needs; /* SANDBOX_NEEDS_..., or-ed together */
	/* Descriptors of the folders below which files may still be opened, made and removed. */
	int folders[SANDBOX_FOLDERS_MAX];
	unsigned folder_count;
	pid_t pid; /* whose threads may be sent signals: the process's own */
};

/* Whether a configuration has such threads, but for the disks' own, of which the opening of a disk decides. */
bool filter_is_needed(enum sandbox_thread thread, const struct filter_config *config);

/* Whether a thread may make that call, whatever its arguments are: of a name such as "openat". For tests. */
bool filter_allows(enum sandbox_thread thread, const struct filter_config *config, const char *call);

/* 0, and program->filter is the caller's to free; or -errno. */
int filter_build(
	enum sandbox_thread thread, const struct filter_config *config, struct sock_fprog *ret_program);

/* Puts the calling thread under the program: 0 or -errno. It must have no_new_privs. */
int filter_load(const struct sock_fprog *program);
