/* lodge info: what this host's KVM offers, and what lodge would use. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "lodge.h"
#include "sandbox/layers.h"
#include "util/bytes.h"
#include "util/size.h"

static const struct option_row rows[] = {
	{"kvm-device", 0, "FILE", "KVM's device; default /dev/kvm", .at = 0},
	{0},
};

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

static void print_sandbox(void)
{
	static const char *const uses[LAYERS] = {
		[LAYER_NO_NEW_PRIVS] = "no program that lodge could start would get more rights",
		[LAYER_CAPABILITIES] = "lodge gives up all that it has",
		[LAYER_SECCOMP] = "each thread makes the system calls of its list, and no others",
		[LAYER_LANDLOCK] = "no file, TCP port or other process is reached",
		[LAYER_USER_NAMESPACE] = "lets a user who is not root have the next ones",
		[LAYER_MOUNT_NAMESPACE] = "an empty folder for a root",
		[LAYER_NETWORK_NAMESPACE] = "no network",
		[LAYER_IPC_NAMESPACE] = "no System V IPC of others",
		[LAYER_PID_NAMESPACE] = "no process is seen; of guests that leave their terminal",
	};
	unsigned layers = layers_probe(), i;

	printf("\n%-24s %-10s %s\n", "sandbox", "here", "used for");
	for (i = 0; i < LAYERS; i++)
		printf("%-24s %-10s %s\n", layer_name((enum sandbox_layer)i), layers & 1u << i ? "yes" : "no",
			uses[i]);
}

static int run_info(const struct command *command, int argc, char **argv)
{
	const char *device = "/dev/kvm";
	struct lodge_error error;
	struct lodge_host host;
	int operand, status;

	if (!command_parse(command, argc, argv, &device, &operand, &status))
		return status;
	if (lodge_host_probe(device, &host, &error)) {
		print_error("info", error.text);
		return error.status;
	}
	print_host(device, &host);
	print_sandbox();
	return 0;
}

const struct command info_command = {
	.name = "info",
	.operands = "",
	.help = "what this host's KVM offers, and what lodge uses of it",
	.about = "Tells what this host's KVM offers, what lodge uses of it, and of which layers its\n"
		 "sandbox can be made here.\n",
	.rows = rows,
	.run = run_info,
};
