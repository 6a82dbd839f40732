#include "lib/guest.h"

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
}

int guest_run(struct guest *guest)
{
	struct lodge_vm *vm;
	ssize_t len;

	guest->captured.in = -1;
	guest->captured.out = memfd_create("console", MFD_CLOEXEC);
	if (!guest->config.console_count) {
		guest->config.consoles = &guest->captured;
		guest->config.console_count = 1;
	}
	guest->err = lodge_vm_new(&guest->config, &vm, &guest->error);
	if (!guest->err) {
		guest->err = lodge_vm_run(vm, &guest->result);
		lodge_vm_free(vm);
	} else {
		lodge_result_from_error(&guest->error, &guest->result);
	}
	len = pread(guest->captured.out, guest->console, sizeof(guest->console) - 1, 0);
	guest->console[len > 0 ? len : 0] = '\0';
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
