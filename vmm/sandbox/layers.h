/*
 * The layers of the sandbox but for seccomp (filter.h): each as far as this host allows it, none of them a condition
 * of the others. docs/sandbox.md says what each is for.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

enum sandbox_layer {
	LAYER_NO_NEW_PRIVS,
	LAYER_CAPABILITIES, /* the process has none, and gets none */
	LAYER_SECCOMP,
	LAYER_LANDLOCK,
	LAYER_USER_NAMESPACE,
	LAYER_MOUNT_NAMESPACE, /* with an empty root */
	LAYER_NETWORK_NAMESPACE,
	LAYER_IPC_NAMESPACE,
	LAYER_PID_NAMESPACE,
	LAYERS,
};

/* "no_new_privs", "mount_namespace": the report's words. */
const char *layer_name(enum sandbox_layer layer);

/* Whom the process becomes; uid 0: it stays who it is. */
struct layer_user {
	uid_t uid;
	gid_t gid;
};

/* A network namespace that is being made. */
struct layer_network {
	pthread_t thread; /* that makes it; to be joined while `begun` */
	bool begun, made;
	int fd; /* of it, if it was made */
};

/* All of these return the layers that are in force now, as bits 1 << LAYER_..., or fewer where the host has them not. */

/* Before there is a second thread, or the fork() whose child shall have the pid namespace. */
unsigned layers_no_new_privs(void);
unsigned layers_seccomp(void);                 /* there is seccomp: filter_load() may be called */
unsigned layers_unshare_pid(void);             /* and the user namespace that it needs */
unsigned layers_unshare_user(unsigned layers); /* in force already */

/*
 * A network namespace takes the kernel longer than all others together: it is made by a thread, while the caller opens
 * what the guest needs. Who enters waits for it: each thread that is to be in it and was not started by one that is, no
 * two at once, before layers_drop().
 */
void layers_begin_network(struct layer_network *network);
unsigned layers_enter_network(struct layer_network *network);
void layers_fini_network(struct layer_network *network); /* zeroed ones too */

/* Before threads are started that are to have them: the mount and the ipc namespace. */
unsigned layers_unshare(void);

/* When all is open: the root is an empty folder that cannot be written to. Needs the mount namespace. */
unsigned layers_empty_root(unsigned layers);

/* When all is open: no file is reached but below these folders, nor a TCP port, nor a process outside. */
unsigned layers_landlock(const int *folders, unsigned count);

/* The calling thread, and those that it starts, become that user and lose every capability. 0: it could not be. */
unsigned layers_drop(const struct layer_user *user);

/* What this host offers to this user, found out in a child process. */
unsigned layers_probe(void);
