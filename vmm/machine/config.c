#include "machine/config.h"

#include <errno.h>
#include <signal.h>

#include "backend/console.h"
#include "lodge.h"
#include "memory/huge_pages.h"
#include "util/bytes.h"
#include "util/error.h"
#include "util/size.h"
#include "util/trace.h"
#include "virtio/virtio_blk.h"
#include "x86/layout.h"

#define PAGE_SIZE 4096

static_assert(LODGE_CPUS_MAX == CPUS_MAX, "the public limit is the machine's");
static_assert(LODGE_DISKS_MAX == VIRTIO_MMIO_SLOTS, "a disk a slot");
static_assert(LODGE_CONSOLES_MAX == CONSOLE_ENDS_MAX && LODGE_CONSOLE_KEPT == CONSOLE_RING_SIZE &&
		      (int)LODGE_CONSOLE_STREAM == CONSOLE_STREAM &&
		      (int)LODGE_CONSOLE_VIEWER == CONSOLE_VIEWER &&
		      (int)LODGE_CONSOLE_LISTEN == CONSOLE_LISTEN,
	"the public consoles are the internal ones");
static_assert((int)LODGE_TRACE_PIO == TRACE_PIO && (int)LODGE_TRACE_MMIO == TRACE_MMIO &&
		      (int)LODGE_TRACE_IRQ == TRACE_IRQ && (int)LODGE_TRACE_VIRTIO == TRACE_VIRTIO &&
		      (int)LODGE_TRACE_EXIT == TRACE_EXIT,
	"the public topics are the internal ones");

void lodge_config_init(struct lodge_config *config)
{
	*config = (struct lodge_config){
		.memory = MIB(128),
		.cpus = 1,
		.trace_fd = -1,
		.stop_fd = -1,
	};
}

static int check_disks(const struct lodge_config *config, struct error *error)
{
	unsigned i;

	if (config->disk_count > LODGE_DISKS_MAX) {
		return error_set(error, ERROR_USAGE, -EINVAL, "%u disks: there can be %u at most",
			config->disk_count, LODGE_DISKS_MAX);
	}
	for (i = 0; i < config->disk_count; i++) {
		const char *serial = config->disks[i].serial;

		if (serial && strlen(serial) > VIRTIO_BLK_ID_BYTES) {
			return error_set(error, ERROR_USAGE, -EINVAL,
				"disk serial '%s': longer than %u bytes", serial, VIRTIO_BLK_ID_BYTES);
		}
	}
	return 0;
}

static int check_consoles(const struct lodge_config *config, struct error *error)
{
	unsigned i;

	if (config->console_count > LODGE_CONSOLES_MAX) {
		return error_set(error, ERROR_USAGE, -EINVAL, "%u consoles: there can be %u at most",
			config->console_count, LODGE_CONSOLES_MAX);
	}
	for (i = 0; i < config->console_count; i++) {
		const struct lodge_console *console = &config->consoles[i];

		if ((unsigned)console->kind > LODGE_CONSOLE_LISTEN) {
			return error_set(error, ERROR_USAGE, -EINVAL, "console %u: kind %d is unknown", i,
				(int)console->kind);
		}
		if (console->kind == LODGE_CONSOLE_LISTEN && console->in < 0)
			return error_set(error, ERROR_USAGE, -EINVAL, "console %u: no socket is given", i);
	}
	return 0;
}

/* A flat image may fill the memory where others have their boot data; a disk has its kernel and all that itself. */
static int check_format(const struct lodge_config *config, struct error *error)
{
	const char *firmware = config->firmware;
	bool told = config->kernel || config->initrd || (config->append && *config->append);

	if (config->format == LODGE_FORMAT_BOOT_SECTOR &&
		(told || !config->disk_count || !config->disks[0].path ||
			(firmware && strcmp(firmware, "latchkey") != 0))) {
		return error_set(error, ERROR_USAGE, -EINVAL,
			"a boot from disk: takes a --disk path=FILE, and no kernel, command line, initrd or other firmware");
	}
	if (config->format == LODGE_FORMAT_BOOT_SECTOR && config->pci) {
		return error_set(error, ERROR_USAGE, -EINVAL,
			"a boot from disk: latchkey reads disks on virtio-mmio, and none on PCI");
	}
	if (config->format != LODGE_FORMAT_FLAT)
		return 0;
	if (!config->kernel)
		return error_set(error, ERROR_USAGE, -EINVAL, "a flat image: none is given");
	if (config->append && *config->append)
		return error_set(error, ERROR_USAGE, -EINVAL, "a flat image gets no command line");
	if (config->initrd)
		return error_set(error, ERROR_USAGE, -EINVAL, "a flat image gets no initrd");
	if (config->firmware)
		return error_set(error, ERROR_USAGE, -EINVAL, "a flat image is started by no firmware");
	return 0;
}

static int check_irqchip(const struct lodge_config *config, struct error *error)
{
	if ((unsigned)config->irqchip > LODGE_IRQCHIP_SPLIT)
		return error_set(error, ERROR_USAGE, -EINVAL, "irqchip %d is unknown", (int)config->irqchip);
	if (config->irqchip == LODGE_IRQCHIP_SPLIT && config->pit)
		return error_set(error, ERROR_USAGE, -EINVAL, "an i8254 timer needs a full irqchip");
	return 0;
}

static int check_kick_signal(const struct lodge_config *config, struct error *error)
{
	struct sigaction action;

	if (!config->kick_signal)
		return 0;
	if (sigaction(config->kick_signal, NULL, &action))
		return error_set(error, ERROR_USAGE, -EINVAL, "kick signal %d is none", config->kick_signal);
	if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) {
		return error_set(
			error, ERROR_USAGE, -EINVAL, "kick signal %d has no handler", config->kick_signal);
	}
	return 0;
}

int config_check(const struct lodge_config *config, struct error *error)
{
	char text[SIZE_TEXT_MAX];

	if (config->memory < RAM_MIN || config->memory > RAM_MAX) {
		return error_set(error, ERROR_USAGE, -EINVAL,
			"memory of %s: a guest can have 16 MiB to 1 TiB", size_format(config->memory, text));
	}
	if (config->memory % PAGE_SIZE) {
		return error_set(error, ERROR_USAGE, -EINVAL, "memory of %llu bytes: not a multiple of 4096",
			(unsigned long long)config->memory);
	}
	if (config->hugepages && config->memory % HUGE_PAGE_SIZE) {
		return error_set(error, ERROR_USAGE, -EINVAL,
			"memory of %s: huge pages want a multiple of 2 MiB",
			size_format(config->memory, text));
	}
	if (!config->cpus || config->cpus > LODGE_CPUS_MAX) {
		return error_set(error, ERROR_USAGE, -EINVAL, "%u CPUs: a guest can have 1 to %u",
			config->cpus, LODGE_CPUS_MAX);
	}
	if (config->append && strlen(config->append) >= BOOT_CMDLINE_SIZE) {
		return error_set(error, ERROR_USAGE, -EINVAL,
			"a kernel command line of %zu bytes: %u is the most", strlen(config->append),
			BOOT_CMDLINE_SIZE - 1);
	}
	if (check_kick_signal(config, error))
		return -EINVAL;
	if (check_format(config, error) || check_consoles(config, error) || check_irqchip(config, error))
		return -EINVAL;
	return check_disks(config, error);
}
