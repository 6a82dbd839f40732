/* The caller's terminal on the console of a running guest. */
#pragma once

#include <sys/types.h>

/*
 * Until the guest ends, or its user detaches: the guest's exit status, 0, or that of an error, which was printed for
 * `command`.
 */
int attach_guest(const char *command, const char *name);

/* ... of a guest that is our child (cli/detach.h), over a socket that is its console: a signal that ends us stops it. */
int attach_child(const char *command, const char *name, pid_t child, int console_fd);
