/* Guests in the test's own process, through lodge.h. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "../../vmm/lodge.h"

#define GUEST_CONSOLE_MAX 65536

/* A run: its configuration, and afterwards what came of it. */
struct guest {
	struct lodge_vm *vm; /* guest_start() to guest_finish() */
	pthread_t thread;
	struct lodge_config config;
	struct lodge_console
		captured; /* used if the configuration has no console: a file, and what a test sets for `in` */
	int gdb_fd;       /* a listening socket: the guest has a debugger's server there; 0: none */
	bool gdb_wait;
	struct lodge_gdb *gdb;
	struct lodge_result result;
	struct lodge_error error;
	int err; /* of lodge_vm_new() or lodge_vm_run() */
	char console[GUEST_CONSOLE_MAX];
};

/* lodger with a command line, 32 MiB and a timeout of 30 s that no good test reaches. */
void guest_init(struct guest *guest, const char *append);

/* Makes, runs and frees the VM; without one of its own, its console is kept in guest->console. Returns the exit status. */
int guest_run(struct guest *guest);

/* ... with one disk. */
int guest_run_with_disk(struct guest *guest, const struct lodge_disk *disk);

/*
 * Starts the VM on a thread of its own, and returns when its vCPUs run. Without a console of its own it has a file,
 * captured.out, that guest_wait_for() looks at.
 */
void guest_start(struct guest *guest);

/* Waits until the console has shown text so many times; false: not within 30 s. */
bool guest_wait_for(struct guest *guest, const char *text, unsigned times);

/* Whether it has shown it by now. */
bool guest_has(struct guest *guest, const char *text);

/* Whether it prints nothing more, for a while, once what it had printed is written; false: it does not come to an end within 10 s. */
bool guest_stands_still(struct guest *guest);

/* Waits for the VM's end and frees it. Returns the exit status. */
int guest_finish(struct guest *guest);

/* The count of that name, or 0. */
uint64_t guest_count(const struct lodge_count *counts, unsigned len, const char *name);
