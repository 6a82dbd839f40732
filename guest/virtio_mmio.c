#include "virtio_mmio.h"

#include "hw.h"
#include "ioapic.h"
#include "../firmware/virtio_regs.h"
#include "x86.h"

#define MAGIC_VALUE 0x74726976u /* "virt" */

#define IRQ_QUEUE  1u
#define IRQ_CONFIG 2u

static uint32_t mmio_read(const struct virtio_device *device, unsigned reg)
{
	return mmio_read32(device->base + reg);
}

static void mmio_write(const struct virtio_device *device, unsigned reg, uint32_t value)
{
	mmio_write32(device->base + reg, value);
}

static bool mmio_probe(struct virtio_device *device)
{
	device->base = device->hw->base;
	if (mmio_read(device, MAGIC) != MAGIC_VALUE)
		return false;
	device->version = mmio_read(device, VERSION);
	if (device->version != 1 && device->version != 2)
		return false;
	device->id = mmio_read(device, DEVICE_ID);
	return true;
}

/* Acknowledged before the queue is looked at, so that nothing is lost (4.2.3.4). */
static void mmio_irq(void *arg)
{
	struct virtio_device *device = arg;
	uint32_t status = mmio_read(device, INTERRUPT_STATUS);

	mmio_write(device, INTERRUPT_ACK, status);
	if (status & IRQ_QUEUE)
		device->interrupts++;
	if ((status & IRQ_CONFIG) && (mmio_read(device, STATUS) & STATUS_NEEDS_RESET))
		device->needs_reset = true;
}

static bool mmio_route(struct virtio_device *device)
{
	return ioapic_route(device->hw, mmio_irq, device) == 0;
}

const struct virtio_transport virtio_mmio = {
	.probe = mmio_probe,
	.read = mmio_read,
	.write = mmio_write,
	.route = mmio_route,
};
