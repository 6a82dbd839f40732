/*
 * The runtime directory: a directory for each guest that runs, with its name. Who holds the lock in it is the
 * guest's process; the lock goes with the process, so that what a killed one left is known from what lives, whatever
 * pid is in use now.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct error;

#define CONTROL_SOCKET "control"
#define CONSOLE_SOCKET "console"
#define LOCK_FILE      "lock"

#define RUNTIME_PATH_MAX 108 /* sun_path's */

struct runtime_entry {
	char name[64 + 1];
	int base_fd; /* the runtime directory */
	int dir_fd;  /* the entry's own */
	int lock_fd;
};

bool runtime_name_valid(const char *name);

/* The path of a file in an entry, for sockets: 0, or -ENAMETOOLONG and *error. */
int runtime_path(const char *name, const char *file, char path[RUNTIME_PATH_MAX], struct error *error);

/*
 * Makes the entry and locks it; the runtime directory is made where it is missing (what is above it is
 * not), and must be this user's alone. 0, -EEXIST (it is locked), or another -errno, and *error.
 */
int runtime_claim(const char *name, struct runtime_entry *ret_entry, struct error *error);

/* Removes the entry and what is in it; gives up the lock. Zeroed and released ones too. */
void runtime_release(struct runtime_entry *entry);

/* Closes it, and leaves it to another process that has the same descriptors. */
void runtime_forget(struct runtime_entry *entry);

/* 0: a process holds the entry; -ESRCH: there is none; and what a dead process left is removed. */
int runtime_look(const char *name, struct error *error);

/* The names that are held, sorted: an array in one piece, for free(). */
int runtime_list(char ***ret_names, unsigned *ret_count, struct error *error);
