#include "util/thread.h"

#include <signal.h>

int thread_start(pthread_t *ret_thread, void *(*body)(void *ctx), void *ctx)
{
	sigset_t blocked, before;
	int err;

	sigfillset(&blocked);
	sigdelset(&blocked, SIGSEGV);
	sigdelset(&blocked, SIGBUS);
	sigdelset(&blocked, SIGFPE);
	sigdelset(&blocked, SIGILL);
	sigdelset(&blocked, SIGSYS);
	/* A thread begins with the mask of the one that creates it. */
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	err = pthread_create(ret_thread, NULL, body, ctx);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}
