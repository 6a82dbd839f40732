#include "ioapic.h"

#include "hw.h"
#include "lapic.h"
#include "trap.h"
#include "x86.h"

#define SELECT      0x00
#define WINDOW      0x10
#define REDIRECTION 0x10u /* two registers a pin */
#define LEVEL       0x8000u
#define PINS        24
#define IOAPICS_MAX 4

static void ioapic_write(uint64_t base, uint32_t reg, uint32_t value)
{
	mmio_write32(base + SELECT, reg);
	mmio_write32(base + WINDOW, value);
}

int ioapic_route(const struct hw_device *device, void (*fn)(void *), void *arg)
{
	unsigned index = 0, pin;
	const struct hw_device *ioapic;

	if (device->irq < 0 || !lapic_present())
		return -1;
	pin = (unsigned)device->irq;
	if (device->irq_parent != 0) {
		/* The FDT names the controller by its phandle. */
		for (; (ioapic = hw_find(HW_IOAPIC, index)) != NULL; index++) {
			if (ioapic->phandle == device->irq_parent)
				break;
		}
	} else {
		index = pin / PINS;
		pin %= PINS;
		ioapic = hw_find(HW_IOAPIC, index);
	}
	if (ioapic == NULL || index >= IOAPICS_MAX || pin >= PINS)
		return -1;
	unsigned vector = VECTOR_IRQ + index * PINS + pin;

	trap_set_handler(vector, fn, arg);
	ioapic_write(ioapic->base, REDIRECTION + 2 * pin + 1, lapic_id() << 24);
	ioapic_write(ioapic->base, REDIRECTION + 2 * pin, vector | (device->irq_level ? LEVEL : 0));
	return 0;
}
