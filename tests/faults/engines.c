#include "faults/engines.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/files.h"

/* Zeroes are written in several tries, which the ring has no part in. */
#define RING                                                                                   \
	{                                                                                      \
		FAULT_uring_read, FAULT_uring_write, FAULT_uring_fsync, FAULT_uring_fallocate, \
			FAULT_fallocate                                                        \
	}
/* Small writes into the page cache are done at once. */
#define COPYING_RING                                                                                       \
	{                                                                                                  \
		FAULT_uring_read, FAULT_pwritev, FAULT_uring_fsync, FAULT_uring_fallocate, FAULT_fallocate \
	}
#define THREADS                                                                                \
	{                                                                                      \
		FAULT_preadv, FAULT_pwritev, FAULT_fdatasync, FAULT_fallocate, FAULT_fallocate \
	}

const struct engine engines[ENGINES] = {
	{"io_uring", ",aio=io_uring", LODGE_AIO_IO_URING, false, COPYING_RING},
	{"threads", ",aio=threads", LODGE_AIO_THREADS, false, THREADS},
	{"io_uring", ",aio=io_uring,direct", LODGE_AIO_IO_URING, true, RING},
	{"threads", ",aio=threads,direct", LODGE_AIO_THREADS, true, THREADS},
};

bool engine_works(const struct engine *engine, const char *path)
{
	const struct lodge_disk disk = {.path = path, .aio = engine->aio, .direct = engine->direct};
	struct lodge_config config;
	struct lodge_error error;
	struct lodge_vm *vm;

	files_make(path, 1 << 20);
	lodge_config_init(&config);
	config.disks = &disk;
	config.disk_count = 1;
	if (!lodge_vm_new(&config, &vm, &error)) {
		lodge_vm_free(vm);
		return true;
	}
	printf("SKIPPED: %s%s: %s\n", engine->name, engine->direct ? ", direct" : "", error.text);
	return false;
}
