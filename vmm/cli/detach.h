/* A guest that outlives the command that started it: its process is split off before there is a VM. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct detach {
	int ready_fd;     /* the child's end; -1: nothing is detached, or its guest runs */
	int null_fd;      /* the child's /dev/null, opened while it can be */
	pid_t child;      /* in the parent */
	bool keep_stderr; /* somebody attaches at once, and shall see what lodge has to say */
	const char *name; /* the guest's; set before it runs */
};

/*
 * Splits the process. In the child: 0, and all goes on there. In the parent: 1 when the guest runs, with its name in
 * `name`; or -errno, and *ret_status is what the child left with, after it printed why.
 */
int detach_split(struct detach *detach, char *name, unsigned size, int *ret_status);

/* In the child, a `started` of lodge_config: the guest runs. Lets go of the terminal and of the parent. */
void detach_ready(void *detach);

/* In the parent: waits for the child's end, and returns its exit status; 103 if it was killed, which is printed. */
int detach_child_status(pid_t child);
