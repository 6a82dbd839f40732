#include "virtio.h"

#include "hw.h"
#include "../firmware/virtio_regs.h"
#include "virtio_mmio.h"
#include "virtio_pci.h"
#include "virtqueue.h"
#include "x86.h"

#define CONFIG_TRIES 10
#define RESET_POLLS  1000

uint32_t virtio_read(const struct virtio_device *device, unsigned reg)
{
	return device->transport->read(device, reg);
}

void virtio_write(const struct virtio_device *device, unsigned reg, uint32_t value)
{
	device->transport->write(device, reg, value);
}

void virtio_write64(const struct virtio_device *device, unsigned reg, uint64_t value)
{
	virtio_write(device, reg, (uint32_t)value);
	virtio_write(device, reg + 4, (uint32_t)(value >> 32));
}

bool virtio_probe(struct virtio_device *device, const struct hw_device *place)
{
	*device = (struct virtio_device){
		.hw = place, .transport = place->kind == HW_VIRTIO_PCI ? &virtio_pci : &virtio_mmio};
	return device->transport->probe(device);
}

static bool negotiate(struct virtio_device *device, uint64_t wanted)
{
	uint64_t offered;

	virtio_write(device, DEVICE_FEATURES_SEL, 0);
	offered = virtio_read(device, DEVICE_FEATURES);
	if (device->version == 2) {
		virtio_write(device, DEVICE_FEATURES_SEL, 1);
		offered |= (uint64_t)virtio_read(device, DEVICE_FEATURES) << 32;
	}
	device->features = offered & wanted;
	virtio_write(device, DRIVER_FEATURES_SEL, 0);
	virtio_write(device, DRIVER_FEATURES, (uint32_t)device->features);
	if (device->version == 1)
		return true;
	virtio_write(device, DRIVER_FEATURES_SEL, 1);
	virtio_write(device, DRIVER_FEATURES, (uint32_t)(device->features >> 32));
	virtio_write(device, STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	return (device->features & VIRTIO_F_VERSION_1) != 0 &&
	       (virtio_read(device, STATUS) & STATUS_FEATURES_OK) != 0;
}

bool virtio_start(struct virtio_device *device, uint64_t wanted)
{
	virtio_reset(device);
	virtio_write(device, STATUS, STATUS_ACKNOWLEDGE);
	virtio_write(device, STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	if (!negotiate(device, wanted)) {
		virtio_write(device, STATUS, STATUS_FAILED);
		return false;
	}
	device->has_irq = device->transport->route(device);
	return true;
}

bool virtio_start_queue(struct virtio_device *device, struct virtqueue *q, uint8_t *memory)
{
	uint32_t size;

	virtio_write(device, QUEUE_SEL, 0);
	size = virtio_read(device, QUEUE_NUM_MAX);
	if (size == 0)
		return false;
	if (size > VIRTQUEUE_SIZE_MAX)
		size = VIRTQUEUE_SIZE_MAX;
	virtqueue_init(q, (uint16_t)size, memory);
	q->event_index = (device->features & VIRTIO_F_EVENT_IDX) != 0;
	virtio_write(device, QUEUE_NUM, size);
	if (device->version == 1) {
		virtio_write(device, GUEST_PAGE_SIZE, VIRTQUEUE_ALIGN);
		virtio_write(device, QUEUE_ALIGN, VIRTQUEUE_ALIGN);
		virtio_write(device, QUEUE_PFN, (uint32_t)((uintptr_t)memory / VIRTQUEUE_ALIGN));
		virtio_write(device, STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_DRIVER_OK);
		return true;
	}
	virtio_write64(device, QUEUE_DESC, (uintptr_t)memory);
	virtio_write64(device, QUEUE_DRIVER, virtqueue_avail_address(q));
	virtio_write64(device, QUEUE_DEVICE, virtqueue_used_address(q));
	virtio_write(device, QUEUE_READY, 1);
	virtio_write(
		device, STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
	return true;
}

void virtio_notify(const struct virtio_device *device)
{
	virtio_write(device, QUEUE_NOTIFY, 0);
}

/* 2.4.2: done when the status reads 0. */
void virtio_reset(const struct virtio_device *device)
{
	virtio_write(device, STATUS, 0);
	for (int polls = 0; polls < RESET_POLLS && virtio_read(device, STATUS) != 0; polls++)
		cpu_pause();
}

void virtio_read_config(const struct virtio_device *device, unsigned offset, void *buf, unsigned len)
{
	uint32_t *to = buf;

	for (int tries = 0; tries < CONFIG_TRIES; tries++) {
		uint32_t before = device->version == 1 ? 0 : virtio_read(device, CONFIG_GENERATION);

		for (unsigned i = 0; i < len / 4; i++)
			to[i] = virtio_read(device, CONFIG + offset + 4 * i);
		if (device->version == 1 || virtio_read(device, CONFIG_GENERATION) == before)
			return;
	}
}
