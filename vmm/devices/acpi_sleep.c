#include "devices/acpi_sleep.h"

enum {
	SLEEP_CONTROL = 0,
	SLEEP_STATUS = 1,
};

#define CONTROL_TYPE_SHIFT 2
#define CONTROL_TYPE       0x1c
#define CONTROL_ENABLE     0x20 /* write-only */

static uint64_t acpi_sleep_read(void *dev, uint64_t offset, unsigned size)
{
	struct acpi_sleep *sleep = dev;

	(void)size;
	switch (offset) {
	case SLEEP_CONTROL:
		return atomic_load(&sleep->state.type);
	case SLEEP_STATUS:
		return 0; /* WAK_STS: no state is ever woken from, so nothing sets it */
	default:
		return UINT64_MAX;
	}
}

static void acpi_sleep_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct acpi_sleep *sleep = dev;
	uint8_t type = value & CONTROL_TYPE;

	(void)size;
	if (offset != SLEEP_CONTROL)
		return; /* sleep status: writing 1 clears WAK_STS, which is clear */
	atomic_store(&sleep->state.type, type);
	if ((value & CONTROL_ENABLE) && type >> CONTROL_TYPE_SHIFT == ACPI_SLEEP_TYPE_S5)
		power_request(&sleep->power, POWER_OFF, 0);
}

const struct bus_ops acpi_sleep_ops = {
	.read = acpi_sleep_read,
	.write = acpi_sleep_write,
	.sizes = 1,
};

void acpi_sleep_init(struct acpi_sleep *sleep, const struct acpi_sleep_config *config)
{
	*sleep = (struct acpi_sleep){.power = config->power};
}

void acpi_sleep_fini(struct acpi_sleep *sleep)
{
	(void)sleep;
}
