/* Guests in the test's own process, through lodge.h. */
#pragma once

#include <stddef.h>

#include "../../vmm/lodge.h"

#define GUEST_CONSOLE_MAX 65536

/* A run: its configuration, and afterwards what came of it. */
struct guest {
	struct lodge_config config;
	struct lodge_console captured; /* guest_run()'s, if the configuration has no console */
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

/* The count of that name, or 0. */
uint64_t guest_count(const struct lodge_count *counts, unsigned len, const char *name);
