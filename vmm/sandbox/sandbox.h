/*
 * The sandbox of a process that runs a guest: layers.h and filter.h in the order in which they have to come. What the
 * host does not offer is left out; nothing here fails for that.
 */
#pragma once

#include <linux/filter.h>
#include <pthread.h>
#include <stdbool.h>

#include "sandbox/filter.h"
#include "sandbox/layers.h"

struct sandbox {
	struct filter_config
		filter; /* the caller's to fill before sandbox_close(), but for `needs` before _begin() */
	struct layer_user user;
	unsigned layers;      /* in force: 1 << LAYER_...; the main thread's */
	bool seccomp;         /* is one of them: any thread's, from sandbox_begin() on */
	pthread_mutex_t lock; /* guards what follows; nothing is taken below it */
	struct layer_network network;
	struct sock_fprog programs[SANDBOX_THREADS]; /* filter NULL: not built yet */
};

/* While there is one thread and before anything is opened for the guest: no_new_privs and the namespaces. */
void sandbox_begin(struct sandbox *sandbox);

/* When all is open, before the guest or its files are looked at: the rest, for this thread and those that it starts. */
int sandbox_close(struct sandbox *sandbox);

/*
 * On each thread of that kind, first of all. Those that began before sandbox_close() are brought up to it. -errno: it
 * is not confined, and must not go on.
 */
int sandbox_thread(struct sandbox *sandbox, enum sandbox_thread thread);

void sandbox_fini(struct sandbox *sandbox);
