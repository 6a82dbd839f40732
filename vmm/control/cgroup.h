/*
 * Limits for a guest's process, by cgroup v2: a cgroup of its own, "lodge-NAME", below the one that the process was
 * started in. It is made when the first limit is set, and removed when the guest is gone; a file in the guest's
 * runtime directory keeps its path for whoever finds that one killed.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lodge_control.h"
#include "util/error.h"

#define CGROUP_FILE     "cgroup" /* in the runtime directory */
#define CGROUP_PATH_MAX 4096

struct cgroup {
	pthread_mutex_t lock; /* guards all of it; nothing is taken below it */
	char name[LODGE_NAME_MAX + 1];
	int dir_fd;                   /* the runtime directory's entry, not ours; -1: it is gone */
	const char *mountinfo, *self; /* /proc/self/mountinfo, /proc/self/cgroup */
	bool sought; /* whether there are cgroups: `missing` says what is wrong, 0: nothing */
	int missing;
	struct error missing_error;
	char top[CGROUP_PATH_MAX];     /* the topmost cgroup, */
	int top_fd;                    /* whose folder is kept open; AT_FDCWD: it is not */
	char home[CGROUP_PATH_MAX];    /* where the process came from */
	char path[CGROUP_PATH_MAX];    /* the guest's own; empty: there is none yet */
	unsigned controllers, enabled; /* the guest's own has these; of them, those that we gave it */
	struct lodge_limits limits;
};

struct cgroup_figures {
	struct lodge_limits limits;
	bool present;          /* there is a cgroup; what it does not count is 0 */
	uint64_t throttled_us; /* for so long it had to wait for cpu-max */
	uint64_t memory;       /* bytes that it has now, by cgroup's account */
};

/* lodge_limits_check() */
int cgroup_check(const struct lodge_limits *limits, const struct lodge_config *config, struct error *error);

/* Makes nothing yet. dir_fd is kept, and must outlive it. */
void cgroup_init(struct cgroup *cgroup, const char *name, int dir_fd);

/*
 * Finds out where the cgroups are, and keeps their folder open: then limits can be set where no path can be opened any
 * more. Else the first limit does so.
 */
void cgroup_seek(struct cgroup *cgroup);

/* Before dir_fd is closed: nobody else need remove the cgroup any more. It stays as long as there is a VM in it. */
void cgroup_let_go(struct cgroup *cgroup);

/*
 * When the VM was freed: KVM has threads in the cgroup until then. Moves the process back to where it came from and
 * removes the cgroup. Zeroed and finished ones too.
 */
void cgroup_fini(struct cgroup *cgroup);

/*
 * Sets all limits, and makes the cgroup with the first one: 0, or -errno and *error; then all is as before. Any
 * thread: it is the whole process that moves.
 */
int cgroup_limit(struct cgroup *cgroup, const struct lodge_limits *limits, struct error *error);

/* Any thread. */
void cgroup_read(struct cgroup *cgroup, struct cgroup_figures *ret_figures);

/* Removes the cgroup of a guest that was killed, by the file in its runtime directory, and the file. */
void cgroup_remove_noted(int dir_fd);

/*
 * The folder of this process's cgroup, out of the texts of /proc/self/mountinfo and /proc/self/cgroup, and that of the
 * topmost one that is seen. 0, or -errno and *error.
 */
int cgroup_find(FILE *mountinfo, FILE *self, char ret_home[CGROUP_PATH_MAX], char ret_top[CGROUP_PATH_MAX],
	struct error *error);

/*
 * Writes the limits of these controllers into the files of a cgroup, whose path is relative to at_fd, as in openat(); a
 * limit of 0 lifts. 0 or -errno and *error.
 */
enum { CGROUP_CPU = 1, CGROUP_MEMORY = 2 };
int cgroup_write(int at_fd, const char *path, unsigned controllers, const struct lodge_limits *limits,
	struct error *error);
