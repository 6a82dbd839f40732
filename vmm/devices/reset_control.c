#include "devices/reset_control.h"

#define SYS_RST  0x02 /* hard instead of soft: all the same here */
#define RST_CPU  0x04
#define FULL_RST 0x08 /* with a power cycle: all the same here */

static uint64_t reset_control_read(void *dev, uint64_t offset, unsigned size)
{
	struct reset_control *reset = dev;

	(void)offset;
	(void)size;
	/* A guest never sees RST_CPU set: where it was, the machine has been reset. */
	return atomic_load(&reset->state.value) & (SYS_RST | FULL_RST);
}

static void reset_control_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct reset_control *reset = dev;
	uint8_t now = value & (SYS_RST | RST_CPU | FULL_RST);
	uint8_t before;

	(void)offset;
	(void)size;
	before = atomic_exchange(&reset->state.value, now);
	if (now & ~before & RST_CPU)
		power_request(&reset->power, POWER_RESET, 0);
}

const struct bus_ops reset_control_ops = {
	.read = reset_control_read,
	.write = reset_control_write,
	.sizes = 1,
};

void reset_control_init(struct reset_control *reset, const struct reset_control_config *config)
{
	*reset = (struct reset_control){.power = config->power};
}

void reset_control_fini(struct reset_control *reset)
{
	(void)reset;
}
