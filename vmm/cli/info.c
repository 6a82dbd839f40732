/* lodge info: what this host's KVM offers, and what lodge would use. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "lodge.h"
#include "util/bytes.h"
#include "util/size.h"

static int set_kvm_device(void *target, const char *value, struct error *error)
{
	(void)error;
	*(const char **)target = value;
	return 0;
}

static const struct option_row rows[] = {
	{"kvm-device", 0, "FILE", "KVM's device; default /dev/kvm", set_kvm_device},
};

static void print_help(void)
{
	printf("Usage: lodge info [OPTION]...\n\n"
	       "Tells what this host's KVM offers, and what lodge uses of it.\n\n");
	options_print(rows, ARRAY_SIZE(rows));
}

static void print_host(const char *device, const struct lodge_host *host)
{
	char text[SIZE_TEXT_MAX];
	unsigned i;

	printf("lodge %s\n", lodge_version());
	printf("%-24s %s%s%s%s\n", "KVM", device, *host->kvm_module ? " (" : "", host->kvm_module,
		*host->kvm_module ? ")" : "");
	printf("%-24s 1 to %u\n", "CPUs of a guest", host->max_cpus);
	printf("%-24s 16 MiB to %s (more with --overcommit)\n", "memory of a guest",
		size_format(host->max_memory, text));
	printf("%-24s lodger, %s\n\n", "built-in kernel", size_format(host->lodger_size, text));
	printf("%-24s %-10s %s\n", "capability", "here", "used for");
	for (i = 0; i < host->capability_count; i++) {
		const struct lodge_capability *cap = &host->capabilities[i];

		printf("%-24s %-10s %s%s\n", cap->name, cap->value ? "yes" : "no", cap->use,
			cap->required ? "" : " (optional)");
	}
}

int command_info(int argc, char **argv)
{
	const char *device = "/dev/kvm";
	struct lodge_error host_error;
	struct lodge_host host;
	struct error error;
	int operand, err = options_parse(rows, ARRAY_SIZE(rows), argc, argv, &device, &operand, &error);

	if (err == OPTIONS_HELP) {
		print_help();
		return 0;
	}
	if (!err && operand < argc)
		err = error_set(&error, ERROR_USAGE, -1, "'%s': info takes no operands", argv[operand]);
	if (err) {
		print_error("info", error.text);
		return error.kind;
	}
	if (lodge_host_probe(device, &host, &host_error)) {
		print_error("info", host_error.text);
		return host_error.status;
	}
	print_host(device, &host);
	return 0;
}
