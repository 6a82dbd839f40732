#include "devices/debug_exit.h"

static uint64_t debug_exit_read(void *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	(void)offset;
	(void)size;
	return UINT64_MAX;
}

static void debug_exit_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct debug_exit *port = dev;
	uint32_t code = (uint32_t)value;

	(void)size;
	if (offset != 0)
		return;
	if (port->config.qemu)
		power_request(&port->config.power, POWER_EXIT, (code << 1) | 1);
	else if (code == 0)
		power_request(&port->config.power, POWER_OFF, 0);
	else
		power_request(&port->config.power, POWER_EXIT, code);
}

const struct bus_ops debug_exit_ops = {
	.read = debug_exit_read,
	.write = debug_exit_write,
	.sizes = 1 | 2 | 4,
};

void debug_exit_init(struct debug_exit *port, const struct debug_exit_config *config)
{
	*port = (struct debug_exit){.config = *config};
}

void debug_exit_fini(struct debug_exit *port)
{
	(void)port;
}
