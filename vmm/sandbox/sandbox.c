#include "sandbox/sandbox.h"

#include <errno.h>
#include <stdlib.h>

#include "sandbox/sanitized.h"
#include "util/bytes.h"

/* Built once a kind: to build costs more than to load. */
static int program_of(struct sandbox *sandbox, enum sandbox_thread thread, struct sock_fprog *ret_program)
{
	struct sock_fprog *program = &sandbox->programs[thread];
	int err = 0;

	pthread_mutex_lock(&sandbox->lock);
	if (!program->filter)
		err = filter_build(thread, &sandbox->filter, program);
	*ret_program = *program;
	pthread_mutex_unlock(&sandbox->lock);
	return err;
}

void sandbox_begin(struct sandbox *sandbox)
{
	pthread_mutex_init(&sandbox->lock, NULL);
	sandbox->layers |= layers_no_new_privs();
	sandbox->seccomp = layers_seccomp();
	sandbox->layers |= sandbox->seccomp ? 1u << LAYER_SECCOMP : 0;
	sandbox->layers |= layers_unshare_user(sandbox->layers);
	layers_begin_network(&sandbox->network);
	sandbox->layers |= layers_unshare();
}

static unsigned enter_network(struct sandbox *sandbox)
{
	unsigned layer;

	pthread_mutex_lock(&sandbox->lock);
	layer = layers_enter_network(&sandbox->network);
	pthread_mutex_unlock(&sandbox->lock);
	return layer;
}

/* What a host does not offer is left out, but not what was asked for. */
static int drop(const struct sandbox *sandbox, unsigned *ret_layer)
{
	*ret_layer = layers_drop(&sandbox->user);
	return !*ret_layer && sandbox->user.uid ? -EPERM : 0;
}

int sandbox_close(struct sandbox *sandbox)
{
	const struct filter_config *filter = &sandbox->filter;
	struct sock_fprog program;
	unsigned thread, layer;
	int err = 0;

	/* What is built later would have to be built under the filter. */
	for (thread = 0; sandbox->seccomp && !err && thread < SANDBOX_THREADS; thread++) {
		if (filter_is_needed(thread, filter))
			err = program_of(sandbox, thread, &program);
	}
	if (err)
		return err;
	/* A mount namespace that shows all that is there is none of use. */
	if (SANITIZED || !layers_empty_root(sandbox->layers))
		sandbox->layers &= ~(1u << LAYER_MOUNT_NAMESPACE);
	if (!SANITIZED)
		sandbox->layers |= layers_landlock(filter->folders, filter->folder_count);
	sandbox->layers |= enter_network(sandbox);
	err = drop(sandbox, &layer);
	if (err)
		return err;
	sandbox->layers |= layer;
	return sandbox->seccomp ? sandbox_thread(sandbox, SANDBOX_MAIN) : 0;
}

int sandbox_thread(struct sandbox *sandbox, enum sandbox_thread thread)
{
	struct sock_fprog program;
	unsigned layer;
	int err = 0;

	/* The disks' threads begin when the disks are opened. */
	if (thread == SANDBOX_BLOCK) {
		enter_network(sandbox);
		err = drop(sandbox, &layer);
	}
	if (!err && sandbox->seccomp)
		err = program_of(sandbox, thread, &program);
	if (!err && sandbox->seccomp)
		err = filter_load(&program);
	return err;
}

void sandbox_fini(struct sandbox *sandbox)
{
	unsigned i;

	layers_fini_network(&sandbox->network);
	for (i = 0; i < ARRAY_SIZE(sandbox->programs); i++)
		free(sandbox->programs[i].filter);
}
