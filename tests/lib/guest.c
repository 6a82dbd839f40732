#include "lib/guest.h"

#include <check.h>
#include <semaphore.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void guest_init(struct guest *guest, const char *append)
{
	memset(guest, 0, sizeof(*guest));
	lodge_config_init(&guest->config);
	guest->config.memory = 32u << 20;
	guest->config.append = append;
	guest->config.timeout_ms = 30000;
	guest->captured.in = -1;
}

static void capture_console(struct guest *guest)
{
	guest->captured.out = memfd_create("console", MFD_CLOEXEC);
	if (!guest->config.console_count) {
		guest->config.consoles = &guest->captured;
		guest->config.console_count = 1;
	}
}

static void read_console(struct guest *guest)
{
	ssize_t len = pread(guest->captured.out, guest->console, sizeof(guest->console) - 1, 0);

	guest->console[len > 0 ? len : 0] = '\0';
}

int guest_run(struct guest *guest)
{
	struct lodge_vm *vm;

	capture_console(guest);
	guest->err = lodge_vm_new(&guest->config, &vm, &guest->error);
	if (!guest->err) {
		guest->err = lodge_vm_run(vm, &guest->result);
		lodge_vm_free(vm);
	} else {
		lodge_result_from_error(&guest->error, &guest->result);
	}
	read_console(guest);
	close(guest->captured.out);
	return guest->result.status;
}

static void *run_to_end(void *ctx)
{
	struct guest *guest = ctx;

	guest->err = lodge_vm_run(guest->vm, &guest->result);
	lodge_gdb_finish(guest->gdb, &guest->result);
	return NULL;
}

static void signal_start(void *started)
{
	sem_post(started);
}

void guest_start(struct guest *guest)
{
	sem_t started;

	capture_console(guest);
	sem_init(&started, 0, 0);
	guest->config.started = signal_start;
	guest->config.started_ctx = &started;
	ck_assert_msg(!lodge_vm_new(&guest->config, &guest->vm, &guest->error), "%s", guest->error.text);
	if (guest->gdb_fd) {
		ck_assert_msg(!lodge_gdb_start(
				      guest->vm, guest->gdb_fd, guest->gdb_wait, &guest->gdb, &guest->error),
			"%s", guest->error.text);
	}
	pthread_create(&guest->thread, NULL, run_to_end, guest);
	while (sem_wait(&started))
		;
	sem_destroy(&started);
}

bool guest_has(struct guest *guest, const char *text)
{
	read_console(guest);
	return strstr(guest->console, text) != NULL;
}

bool guest_wait_for(struct guest *guest, const char *text, unsigned times)
{
	int polls;

	for (polls = 0; polls < 6000; polls++) {
		const char *at = guest->console;
		unsigned found = 0;

		read_console(guest);
		while ((at = strstr(at, text)) != NULL && ++found < times)
			at++;
		if (at)
			return true;
		usleep(5000);
	}
	return false;
}

bool guest_stands_still(struct guest *guest)
{
	off_t before, size = lseek(guest->captured.out, 0, SEEK_END);
	int tries = 0;

	do {
		before = size;
		usleep(100000);
		size = lseek(guest->captured.out, 0, SEEK_END);
	} while (size != before && ++tries < 100);
	return size == before;
}

int guest_finish(struct guest *guest)
{
	pthread_join(guest->thread, NULL);
	lodge_vm_free(guest->vm);
	read_console(guest);
	close(guest->captured.out);
	return guest->result.status;
}

int guest_run_with_disk(struct guest *guest, const struct lodge_disk *disk)
{
	guest->config.disks = disk;
	guest->config.disk_count = 1;
	return guest_run(guest);
}

uint64_t guest_count(const struct lodge_count *counts, unsigned len, const char *name)
{
	unsigned i;

	for (i = 0; i < len; i++) {
		if (!strcmp(counts[i].name, name))
			return counts[i].count;
	}
	return 0;
}
