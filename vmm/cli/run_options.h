/* The options of `lodge run`, from its command line to a lodge_config. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "cli/consoles.h"
#include "cli/gdb_socket.h"
#include "cli/options.h"
#include "lodge_control.h"

/* Whom lodge becomes. */
struct user_option {
	bool given;
	uid_t uid;
	gid_t gid;
};

struct run_options {
	struct lodge_config config; /* without its consoles and descriptors */
	struct lodge_disk disks[LODGE_DISKS_MAX];
	unsigned disk_count;
	struct lodge_disk_rate rates[LODGE_DISKS_MAX]; /* of each disk that there may be */
	unsigned rated_disks;                          /* so many there have to be, for --disk-rate */
	char *owned[2 * LODGE_DISKS_MAX];              /* strings that were taken out of --disk */
	unsigned owned_count;
	struct console_option consoles[CONSOLE_OPTIONS_MAX];
	unsigned console_count;
	const char *report; /* NULL: none */
	const char *name;   /* NULL: none, or with `detach` one is made up */
	bool detach;
	struct gdb_option gdb;
	bool gdb_wait;
	struct lodge_limits limits;
	bool has_limits; /* one of them is set: the guest has an instance */
	bool verbose;
	bool no_sandbox;
	struct user_option user;
};

extern const struct option_row run_option_rows[];

/*
 * Parses the arguments of `lodge run` (argv[0] is "run"): 0, OPTIONS_HELP, or -errno and *error
 * (ERROR_USAGE). Without a kernel and a disk the guest is lodger with a scratch disk. To be freed in any case.
 */
int run_options_parse(struct run_options *options, int argc, char **argv, struct error *error);
void run_options_free(struct run_options *options);
