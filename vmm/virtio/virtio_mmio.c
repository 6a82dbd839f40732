#include "virtio/virtio_mmio.h"

#include <linux/virtio_mmio.h>

#include "util/bytes.h"

#define MAGIC  0x74726976u /* "virt" */
#define VENDOR 0x47444f4cu /* "LODG" */

/*
 * Sets the line to what interrupt_status says. Two threads may do so at once and the older news may
 * arrive last: whoever sees afterwards that the status moved on sets the line again. Called with or
 * without the transport's lock.
 */
static void update_irq(struct virtio_mmio *mmio)
{
	bool level, now = atomic_load(&mmio->interrupt_status) != 0;

	do {
		level = now;
		irq_set(&mmio->irq, level);
		now = atomic_load(&mmio->interrupt_status) != 0;
	} while (now != level);
}

static void interrupt(struct virtio_mmio *mmio, unsigned cause)
{
	atomic_fetch_or(&mmio->interrupt_status, cause);
	update_irq(mmio);
}

/* One interrupt is enough for all queues: there is one line, and one bit. */
static void interrupt_used(void *ctx, uint64_t queues)
{
	(void)queues;
	interrupt(ctx, VIRTIO_MMIO_INT_VRING);
}

static void interrupt_config(void *ctx)
{
	interrupt(ctx, VIRTIO_MMIO_INT_CONFIG);
}

static uint32_t read_register(const struct virtio_mmio *mmio, uint64_t offset)
{
	const struct virtio_transport *transport = &mmio->transport;
	const struct virtio_transport_queue *queue = virtio_transport_selected(transport);

	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return virtio_transport_features(transport);
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return queue ? transport->config.ops->queue_size_max : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return queue && virtqueue_started(&queue->queue);
	case VIRTIO_MMIO_STATUS:
		return transport->state.status;
	default:
		/* Write-only and reserved registers; ConfigGeneration, as no device changes its own. */
		return 0;
	}
}

static uint64_t mmio_read(void *dev, uint64_t offset, unsigned size)
{
	struct virtio_mmio *mmio = dev;
	struct virtio_transport *transport = &mmio->transport;
	const struct virtio_device_ops *ops = transport->config.ops;
	uint64_t value;

	/* 4.2.2.2: drivers access registers by aligned 32 bits; anything else reads 0 and writes nothing. */
	if (offset < VIRTIO_MMIO_CONFIG && (size != 4 || offset % 4))
		return 0;
	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return 2;
	case VIRTIO_MMIO_DEVICE_ID:
		return ops->device_id;
	case VIRTIO_MMIO_VENDOR_ID:
		return VENDOR;
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return atomic_load(&mmio->interrupt_status);
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		return UINT32_MAX; /* a length of -1: there is no such region */
	}
	virtio_transport_enter(transport);
	if (offset < VIRTIO_MMIO_CONFIG)
		value = read_register(mmio, offset);
	else
		value = ops->config_read(transport->config.dev, offset - VIRTIO_MMIO_CONFIG, size);
	virtio_transport_leave(transport);
	return value;
}

static void write_queue_register(struct virtio_transport *transport, uint64_t offset, uint32_t value)
{
	struct virtqueue_config *config = virtio_transport_queue_config(transport);

	if (!config)
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		config->size = value;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		virtio_set_half(&config->desc, offset == VIRTIO_MMIO_QUEUE_DESC_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		virtio_set_half(&config->avail, offset == VIRTIO_MMIO_QUEUE_AVAIL_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		virtio_set_half(&config->used, offset == VIRTIO_MMIO_QUEUE_USED_HIGH, value);
		break;
	}
}

static void write_status(struct virtio_mmio *mmio, uint32_t value)
{
	virtio_transport_set_status(&mmio->transport, value);
	if (value)
		return;
	atomic_store(&mmio->interrupt_status, 0);
	update_irq(mmio);
}

static void write_register(struct virtio_mmio *mmio, uint64_t offset, uint32_t value)
{
	struct virtio_transport *transport = &mmio->transport;

	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		transport->state.device_features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		transport->state.driver_features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		virtio_transport_take_features(transport, value);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		transport->state.queue_sel = value;
		break;
	case VIRTIO_MMIO_QUEUE_READY:
		if (value <= 1)
			virtio_transport_enable_queue(transport, value);
		break;
	case VIRTIO_MMIO_STATUS:
		write_status(mmio, value);
		break;
	default:
		write_queue_register(transport, offset, value);
	}
}

static void mmio_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct virtio_mmio *mmio = dev;
	struct virtio_transport *transport = &mmio->transport;

	if (offset < VIRTIO_MMIO_CONFIG && (size != 4 || offset % 4))
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		virtio_transport_notify(transport, (uint32_t)value);
		return;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		atomic_fetch_and(&mmio->interrupt_status, ~(unsigned)value);
		update_irq(mmio);
		return;
	}
	virtio_transport_enter(transport);
	if (offset < VIRTIO_MMIO_CONFIG)
		write_register(mmio, offset, (uint32_t)value);
	else
		transport->config.ops->config_write(
			transport->config.dev, offset - VIRTIO_MMIO_CONFIG, size, value);
	virtio_transport_leave(transport);
}

const struct bus_ops virtio_mmio_bus_ops = {
	.read = mmio_read,
	.write = mmio_write,
	.sizes = 1 | 2 | 4 | 8, /* registers answer to 4 only */
};

int virtio_mmio_init(
	struct virtio_mmio *mmio, const struct virtio_transport_config *config, struct irq_line irq)
{
	struct virtio_transport_config with_line = *config;

	*mmio = (struct virtio_mmio){.irq = irq};
	with_line.interrupts =
		(struct virtio_interrupts){.used = interrupt_used, .config = interrupt_config, .ctx = mmio};
	return virtio_transport_init(&mmio->transport, &with_line);
}

void virtio_mmio_fini(struct virtio_mmio *mmio)
{
	virtio_transport_fini(&mmio->transport);
}
