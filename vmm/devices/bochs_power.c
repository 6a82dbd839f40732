#include "devices/bochs_power.h"

static const char word[8] = {'S', 'h', 'u', 't', 'd', 'o', 'w', 'n'};

static uint64_t bochs_power_read(void *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	(void)offset;
	(void)size;
	return UINT64_MAX;
}

/* Two vCPUs that write at once garble the word, as they do on a bus. */
static void bochs_power_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct bochs_power *port = dev;
	uint8_t matched = atomic_load(&port->matched);

	(void)offset;
	(void)size;
	if (value == (uint8_t)word[matched])
		matched++;
	else
		matched = value == (uint8_t)word[0];
	if (matched == sizeof(word)) {
		matched = 0;
		power_request(&port->power, POWER_OFF, 0);
	}
	atomic_store(&port->matched, matched);
}

const struct bus_ops bochs_power_ops = {
	.read = bochs_power_read,
	.write = bochs_power_write,
	.sizes = 1,
};

void bochs_power_init(struct bochs_power *port, const struct bochs_power_config *config)
{
	*port = (struct bochs_power){.power = config->power};
}

void bochs_power_fini(struct bochs_power *port)
{
	(void)port;
}
