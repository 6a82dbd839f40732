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
	sandbox->layers |= layers_seccomp();
	/* They take nearly 1 ms at the start and the end of a guest that may live for 2: docs/sandbox.md. */
	if (sandbox->namespaces || !layers_has_landlock())
		sandbox->layers |= layers_unshare(sandbox->layers);
}

int sandbox_close(struct sandbox *sandbox)
{
	const struct filter_config *filter = &sandbox->filter;
	bool seccomp = sandbox->layers & 1u << LAYER_SECCOMP;
	struct sock_fprog program;
	unsigned thread;
	int err = 0;

	/* What is built later would have to be built under the filter. */
	for (thread = 0; seccomp && !err && thread < SANDBOX_THREADS; thread++) {
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
	sandbox->layers |= layers_drop(&sandbox->user);
	return seccomp ? sandbox_thread(sandbox, SANDBOX_MAIN) : 0;
}

int sandbox_thread(struct sandbox *sandbox, enum sandbox_thread thread)
{
	struct sock_fprog program;
	int err = 0;

	/* The disks' threads begin when the disks are opened. */
	if (thread == SANDBOX_BLOCK)
		layers_drop(&sandbox->user);
	if (sandbox->layers & 1u << LAYER_SECCOMP)
		err = program_of(sandbox, thread, &program);
	if (!err && sandbox->layers & 1u << LAYER_SECCOMP)
		err = filter_load(&program);
	return err;
}

void sandbox_fini(struct sandbox *sandbox)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(sandbox->programs); i++)
		free(sandbox->programs[i].filter);
}
