/* Threads of the library's, in an embedder's process. */
#pragma once

#include <pthread.h>

/*
 * Starts one, with all signals blocked, which are for the embedder's threads; but for those of a fault, which still end the
 * process, SIGSYS among them: a call that the embedder forbids (seccomp(2)). 0 or -errno.
 */
int thread_start(pthread_t *ret_thread, void *(*body)(void *ctx), void *ctx);
