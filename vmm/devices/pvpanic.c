#include "devices/pvpanic.h"

static uint64_t pvpanic_read(void *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	(void)offset;
	(void)size;
	return PVPANIC_PANICKED;
}

/* Bit 1, "crashed, but a crash kernel takes over", was not offered: the guest lives on. */
static void pvpanic_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct pvpanic *pvpanic = dev;

	(void)offset;
	(void)size;
	if (value & PVPANIC_PANICKED)
		power_request(&pvpanic->config.power, POWER_PANIC, 0);
}

const struct bus_ops pvpanic_ops = {
	.read = pvpanic_read,
	.write = pvpanic_write,
	.sizes = 1,
};

void pvpanic_init(struct pvpanic *pvpanic, const struct pvpanic_config *config)
{
	*pvpanic = (struct pvpanic){.config = *config};
}

void pvpanic_fini(struct pvpanic *pvpanic)
{
	(void)pvpanic;
}
