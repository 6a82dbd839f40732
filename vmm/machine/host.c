/* What this host offers. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kvm/kvm_system.h"
#include "lodge.h"
#include "machine/lodge_error.h"
#include "util/bytes.h"
#include "util/error.h"
#include "x86/layout.h"

extern const char lodger_image_start[], lodger_image_end[];

/* The module that does the virtualization; empty where /sys does not tell. */
static void find_module(char *name, size_t size)
{
	static const char *const modules[] = {"kvm_intel", "kvm_amd", "kvm_pvm"};
	char path[64];
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(modules); i++) {
		snprintf(path, sizeof(path), "/sys/module/%s", modules[i]);
		if (!access(path, F_OK))
			snprintf(name, size, "%s", modules[i]);
	}
}

int lodge_host_probe(const char *path, struct lodge_host *ret_host, struct lodge_error *ret_error)
{
	struct lodge_host host = {
		.max_memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE),
		.lodger_size = (uint64_t)(lodger_image_end - lodger_image_start),
	};
	struct kvm_system system;
	struct error error;
	unsigned i;
	int err = kvm_system_open(&system, path ? path : "/dev/kvm", &error);

	if (!err)
		err = kvm_system_check(&system, path ? path : "/dev/kvm", &error);
	if (err)
		goto done;
	for (i = 0; i < kvm_capability_count; i++) {
		const struct kvm_capability *from = &kvm_capabilities[i];

		host.capabilities[i] = (struct lodge_capability){
			.name = from->name,
			.use = from->use,
			.required = from->required,
			.value = kvm_system_capability(&system, from->number),
		};
	}
	host.capability_count = kvm_capability_count;
	host.max_cpus = MIN(kvm_system_max_vcpus(&system), (unsigned)CPUS_MAX);
	host.max_memory = MIN(host.max_memory, RAM_MAX);
	find_module(host.kvm_module, sizeof(host.kvm_module));
	*ret_host = host;
done:
	kvm_system_fini(&system);
	return err ? lodge_error_from(&error, err, ret_error) : 0;
}

const char *lodge_version(void)
{
	return LODGE_VERSION;
}
