#include "virtio_mmio.h"

#include "console.h"
#include "hw.h"
#include "ioapic.h"
#include "../firmware/virtio_regs.h"
#include "virtqueue.h"
#include "x86.h"

#define MAGIC_VALUE 0x74726976u /* "virt" */

#define IRQ_QUEUE    1u
#define IRQ_CONFIG   2u
#define CONFIG_TRIES 10

static uint32_t reg_read(const struct virtio_device *device, unsigned offset)
{
	return mmio_read32(device->base + offset);
}

static void reg_write(const struct virtio_device *device, unsigned offset, uint32_t value)
{
	mmio_write32(device->base + offset, value);
}

static void reg_write64(const struct virtio_device *device, unsigned offset, uint64_t value)
{
	reg_write(device, offset, (uint32_t)value);
	reg_write(device, offset + 4, (uint32_t)(value >> 32));
}

bool virtio_probe(struct virtio_device *device, const struct hw_device *place)
{
	*device = (struct virtio_device){.hw = place, .base = place->base};
	if (reg_read(device, MAGIC) != MAGIC_VALUE)
		return false;
	device->version = reg_read(device, VERSION);
	if (device->version != 1 && device->version != 2)
		return false;
	device->id = reg_read(device, DEVICE_ID);
	return true;
}

/* Acknowledged before the queue is looked at, so that nothing is lost (4.2.3.4). */
static void virtio_irq(void *arg)
{
	struct virtio_device *device = arg;
	uint32_t status = reg_read(device, INTERRUPT_STATUS);

	reg_write(device, INTERRUPT_ACK, status);
	if (status & IRQ_QUEUE)
		device->interrupts++;
	if ((status & IRQ_CONFIG) && (reg_read(device, STATUS) & STATUS_NEEDS_RESET))
		device->needs_reset = true;
}

static bool negotiate(struct virtio_device *device, uint64_t wanted)
{
	uint64_t offered;

	reg_write(device, DEVICE_FEATURES_SEL, 0);
	offered = reg_read(device, DEVICE_FEATURES);
	if (device->version == 2) {
		reg_write(device, DEVICE_FEATURES_SEL, 1);
		offered |= (uint64_t)reg_read(device, DEVICE_FEATURES) << 32;
	}
	device->features = offered & wanted;
	reg_write(device, DRIVER_FEATURES_SEL, 0);
	reg_write(device, DRIVER_FEATURES, (uint32_t)device->features);
	if (device->version == 1)
		return true;
	reg_write(device, DRIVER_FEATURES_SEL, 1);
	reg_write(device, DRIVER_FEATURES, (uint32_t)(device->features >> 32));
	reg_write(device, STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	return (device->features & VIRTIO_F_VERSION_1) != 0 &&
	       (reg_read(device, STATUS) & STATUS_FEATURES_OK) != 0;
}

bool virtio_start(struct virtio_device *device, uint64_t wanted)
{
	reg_write(device, STATUS, 0);
	reg_write(device, STATUS, STATUS_ACKNOWLEDGE);
	reg_write(device, STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	if (!negotiate(device, wanted)) {
		reg_write(device, STATUS, STATUS_FAILED);
		return false;
	}
	device->has_irq = ioapic_route(device->hw, virtio_irq, device) == 0;
	return true;
}

bool virtio_start_queue(struct virtio_device *device, struct virtqueue *q, uint8_t *memory)
{
	uint32_t size;

	reg_write(device, QUEUE_SEL, 0);
	size = reg_read(device, QUEUE_NUM_MAX);
	if (size == 0)
		return false;
	if (size > VIRTQUEUE_SIZE_MAX)
		size = VIRTQUEUE_SIZE_MAX;
	virtqueue_init(q, (uint16_t)size, memory);
	q->event_index = (device->features & VIRTIO_F_EVENT_IDX) != 0;
	reg_write(device, QUEUE_NUM, size);
	if (device->version == 1) {
		reg_write(device, GUEST_PAGE_SIZE, VIRTQUEUE_ALIGN);
		reg_write(device, QUEUE_ALIGN, VIRTQUEUE_ALIGN);
		reg_write(device, QUEUE_PFN, (uint32_t)((uintptr_t)memory / VIRTQUEUE_ALIGN));
		reg_write(device, STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_DRIVER_OK);
		return true;
	}
	reg_write64(device, QUEUE_DESC, (uintptr_t)memory);
	reg_write64(device, QUEUE_DRIVER, virtqueue_avail_address(q));
	reg_write64(device, QUEUE_DEVICE, virtqueue_used_address(q));
	reg_write(device, QUEUE_READY, 1);
	reg_write(device, STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
	return true;
}

void virtio_notify(const struct virtio_device *device)
{
	reg_write(device, QUEUE_NOTIFY, 0);
}

void virtio_reset(const struct virtio_device *device)
{
	reg_write(device, STATUS, 0);
}

void virtio_read_config(const struct virtio_device *device, unsigned offset, void *buf, unsigned len)
{
	uint32_t *to = buf;

	for (int tries = 0; tries < CONFIG_TRIES; tries++) {
		uint32_t before = device->version == 1 ? 0 : reg_read(device, CONFIG_GENERATION);

		for (unsigned i = 0; i < len / 4; i++)
			to[i] = reg_read(device, CONFIG + offset + 4 * i);
		if (device->version == 1 || reg_read(device, CONFIG_GENERATION) == before)
			return;
	}
}
