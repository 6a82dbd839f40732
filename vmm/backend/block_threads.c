/* The engine where io_uring is forbidden or missing: a few threads that carry requests out one by one. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backend/block_file_io.h"
#include "util/bytes.h"
#include "util/thread.h"

#define THREADS 4

struct block_threads {
	struct block_file *file;
	void (*thread_begins)(void *ctx);
	void *ctx;
	pthread_t threads[THREADS];
	unsigned thread_count;
	pthread_mutex_t lock;    /* guards what follows; nothing is taken below it */
	pthread_cond_t to_do;    /* there is something, or `stop` */
	pthread_cond_t has_done; /* `done` has something */
	struct block_list todo, done;
	unsigned under_way; /* from submit to reap */
	bool stop;
};

static void *worker(void *ctx)
{
	struct block_threads *threads = ctx;

	if (threads->thread_begins)
		threads->thread_begins(threads->ctx);
	pthread_mutex_lock(&threads->lock);
	for (;;) {
		struct block_request *request = block_list_take(&threads->todo);

		if (request) {
			pthread_mutex_unlock(&threads->lock);
			request->result = block_file_execute(threads->file, request);
			pthread_mutex_lock(&threads->lock);
			if (!threads->done.first)
				eventfd_write(threads->file->block.event_fd, 1);
			block_list_add(&threads->done, request);
			pthread_cond_signal(&threads->has_done);
		} else if (threads->stop) {
			break;
		} else {
			pthread_cond_wait(&threads->to_do, &threads->lock);
		}
	}
	pthread_mutex_unlock(&threads->lock);
	return NULL;
}

static void threads_submit(struct block_backend *block, struct block_request *request)
{
	struct block_threads *threads = block_file_of(block)->threads;

	pthread_mutex_lock(&threads->lock);
	block_list_add(&threads->todo, request);
	threads->under_way++;
	pthread_cond_signal(&threads->to_do);
	pthread_mutex_unlock(&threads->lock);
}

static void threads_kick(struct block_backend *block)
{
	(void)block; /* they have begun already */
}

static struct block_request *threads_reap(struct block_backend *block, bool wait)
{
	struct block_threads *threads = block_file_of(block)->threads;
	struct block_request *request;
	eventfd_t count;

	pthread_mutex_lock(&threads->lock);
	while (wait && threads->under_way && !threads->done.first)
		pthread_cond_wait(&threads->has_done, &threads->lock);
	request = block_list_take(&threads->done);
	threads->under_way -= request != NULL;
	/* Quiet until a thread adds to the empty list. It fails where nothing was told of. */
	if (request && !threads->done.first)
		eventfd_read(block->event_fd, &count);
	pthread_mutex_unlock(&threads->lock);
	return request;
}

/* Half-built ones too. */
static void threads_free(struct block_threads *threads)
{
	pthread_mutex_lock(&threads->lock);
	threads->stop = true;
	pthread_cond_broadcast(&threads->to_do);
	pthread_mutex_unlock(&threads->lock);
	while (threads->thread_count)
		pthread_join(threads->threads[--threads->thread_count], NULL);
	pthread_cond_destroy(&threads->has_done);
	pthread_cond_destroy(&threads->to_do);
	pthread_mutex_destroy(&threads->lock);
	free(threads);
}

static void threads_close(struct block_backend *block)
{
	struct block_file *file = block_file_of(block);

	threads_free(file->threads);
	close(block->event_fd);
	block_file_free(file);
}

static const struct block_ops threads_ops = {
	.submit = threads_submit,
	.kick = threads_kick,
	.reap = threads_reap,
	.close = threads_close,
};

static int start_all(struct block_threads *threads)
{
	int r = 0;

	while (!r && threads->thread_count < THREADS) {
		r = thread_start(&threads->threads[threads->thread_count], worker, threads);
		threads->thread_count += !r;
	}
	return r;
}

int block_threads_start(struct block_file *file, const struct block_file_config *config)
{
	struct block_threads *threads = calloc(1, sizeof(*threads));
	int fd, r;

	if (!threads)
		return -ENOMEM;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0) {
		r = -errno;
		free(threads);
		return r;
	}
	threads->file = file;
	threads->thread_begins = config->thread_begins;
	threads->ctx = config->ctx;
	pthread_mutex_init(&threads->lock, NULL);
	pthread_cond_init(&threads->to_do, NULL);
	pthread_cond_init(&threads->has_done, NULL);
	file->block.event_fd = fd;
	r = start_all(threads);
	if (r < 0) {
		threads_free(threads);
		close(fd);
		file->block.event_fd = -1;
		return r;
	}
	file->threads = threads;
	file->block.ops = &threads_ops;
	file->block.engine = "threads";
	return 0;
}
