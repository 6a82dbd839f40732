#include "virtio/virtio_mmio.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"

#define MAGIC  0x74726976u /* "virt" */
#define VENDOR 0x47444f4cu /* "LODG" */

#define STATUS_OF_DRIVER                                                                      \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK | \
		VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FAILED)

#define FEATURE(bit) (UINT64_C(1) << (bit))
#define FEATURES_OF_TRANSPORT                                                 \
	(FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VIRTIO_RING_F_INDIRECT_DESC) | \
		FEATURE(VIRTIO_RING_F_EVENT_IDX))

static void enter(struct virtio_mmio *mmio)
{
	pthread_mutex_lock(&mmio->turn);
	pthread_mutex_lock(&mmio->lock);
	pthread_mutex_unlock(&mmio->turn);
}

static void leave(struct virtio_mmio *mmio)
{
	pthread_mutex_unlock(&mmio->lock);
}

/*
 * Sets the line to what interrupt_status says. Two threads may do so at once and the older news may
 * arrive last: whoever sees afterwards that the status moved on sets the line again. Called with or
 * without `lock`.
 */
static void update_irq(struct virtio_mmio *mmio)
{
	bool level, now = atomic_load(&mmio->interrupt_status) != 0;

	do {
		level = now;
		irq_set(&mmio->config.irq, level);
		now = atomic_load(&mmio->interrupt_status) != 0;
	} while (now != level);
}

static void interrupt(struct virtio_mmio *mmio, unsigned cause)
{
	mmio->stats.interrupts++;
	atomic_fetch_or(&mmio->interrupt_status, cause);
	update_irq(mmio);
}

/* Called with `lock` held. A device that is not running leaves the rings alone. */
static bool running(const struct virtio_mmio *mmio)
{
	uint32_t stopped = VIRTIO_CONFIG_S_NEEDS_RESET | VIRTIO_CONFIG_S_FAILED;

	return (mmio->state.status & (VIRTIO_CONFIG_S_DRIVER_OK | stopped)) == VIRTIO_CONFIG_S_DRIVER_OK;
}

/* Called with `lock` held. The driver broke the rules (virtio 1.2, 2.1.2). */
static void set_needs_reset(struct virtio_mmio *mmio)
{
	if (mmio->state.status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	mmio->stats.broken++;
	mmio->state.status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	if (mmio->state.status & VIRTIO_CONFIG_S_DRIVER_OK)
		interrupt(mmio, VIRTIO_MMIO_INT_CONFIG);
}

/* Called with `lock` held. One interrupt is enough for all queues: there is one line, and one bit. */
static void tell_driver(struct virtio_mmio *mmio)
{
	bool wanted = false;

	for (unsigned i = 0; i < mmio->config.queue_count; i++) {
		struct virtqueue *queue = &mmio->queues[i].queue;

		wanted |= virtqueue_started(queue) && virtqueue_should_interrupt(queue);
	}
	if (wanted)
		interrupt(mmio, VIRTIO_MMIO_INT_VRING);
}

/* Called with `lock` held. What was taken is answered before its queue goes. */
static void reset(struct virtio_mmio *mmio)
{
	mmio->config.ops->progress(mmio->config.dev, true);
	memset(mmio->queues, 0, mmio->config.queue_count * sizeof(mmio->queues[0]));
	mmio->state = (struct virtio_mmio_state){0};
	mmio->config.ops->reset(mmio->config.dev);
	atomic_store(&mmio->interrupt_status, 0);
	update_irq(mmio);
}

/* Called with `lock` held. NULL: the driver selected a queue that does not exist. */
static struct virtio_mmio_queue *selected_queue(struct virtio_mmio *mmio)
{
	uint32_t index = mmio->state.queue_sel;

	return index < mmio->config.queue_count ? &mmio->queues[index] : NULL;
}

static uint32_t read_features(const struct virtio_mmio *mmio)
{
	uint32_t word = mmio->state.device_features_sel;

	return word < 2 ? (uint32_t)(mmio->offered >> (32 * word)) : 0;
}

static uint32_t read_register(struct virtio_mmio *mmio, uint64_t offset)
{
	const struct virtio_mmio_queue *queue = selected_queue(mmio);

	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return read_features(mmio);
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return queue ? mmio->config.ops->queue_size_max : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return queue && virtqueue_started(&queue->queue);
	case VIRTIO_MMIO_STATUS:
		return mmio->state.status;
	default:
		/* Write-only and reserved registers; ConfigGeneration, as no device changes its own. */
		return 0;
	}
}

static uint64_t mmio_read(void *dev, uint64_t offset, unsigned size)
{
	struct virtio_mmio *mmio = dev;
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
		return mmio->config.ops->device_id;
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
	enter(mmio);
	if (offset < VIRTIO_MMIO_CONFIG)
		value = read_register(mmio, offset);
	else
		value = mmio->config.ops->config_read(mmio->config.dev, offset - VIRTIO_MMIO_CONFIG, size);
	leave(mmio);
	return value;
}

static void write_driver_features(struct virtio_mmio *mmio, uint32_t value)
{
	uint32_t word = mmio->state.driver_features_sel;
	uint64_t *features = &mmio->state.driver_features;

	/* Negotiation is over with FEATURES_OK (3.1.1); words from 2 on hold no feature. */
	if ((mmio->state.status & VIRTIO_CONFIG_S_FEATURES_OK) || word >= 2)
		return;
	*features &= ~((uint64_t)UINT32_MAX << (32 * word));
	*features |= (uint64_t)value << (32 * word);
}

static bool features_acceptable(const struct virtio_mmio *mmio)
{
	uint64_t features = mmio->state.driver_features;

	return !(features & ~mmio->offered) && (features & FEATURE(VIRTIO_F_VERSION_1));
}

/* 2.1.1: bits only accumulate until a reset clears them. A bit that comes too early is not set. */
static void write_status(struct virtio_mmio *mmio, uint32_t value)
{
	const uint32_t met = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;
	uint32_t old = mmio->state.status;
	uint32_t next = old | (value & STATUS_OF_DRIVER);

	if (value == 0) {
		reset(mmio);
		return;
	}
	if (!(old & VIRTIO_CONFIG_S_FEATURES_OK) && ((next & met) != met || !features_acceptable(mmio)))
		next &= ~(uint32_t)VIRTIO_CONFIG_S_FEATURES_OK;
	if (!(next & VIRTIO_CONFIG_S_FEATURES_OK))
		next &= ~(uint32_t)VIRTIO_CONFIG_S_DRIVER_OK;
	mmio->state.status = next;
	if (next & ~old & VIRTIO_CONFIG_S_FEATURES_OK)
		mmio->config.ops->negotiated(mmio->config.dev, mmio->state.driver_features);
	/* Whoever rang before DRIVER_OK was not served. */
	if (next & ~old & VIRTIO_CONFIG_S_DRIVER_OK)
		doorbell_ring(mmio->config.doorbell);
}

/* A queue that stops has its requests answered first. It starts again at index 0. */
static void write_queue_ready(struct virtio_mmio *mmio, struct virtio_mmio_queue *queue, uint32_t value)
{
	bool started = virtqueue_started(&queue->queue);

	if (value == 0 && started) {
		mmio->config.ops->progress(mmio->config.dev, true);
		tell_driver(mmio);
		virtqueue_stop(&queue->queue);
	} else if (value == 1 && !started) {
		if (virtqueue_start(&queue->queue, mmio->config.mem, &queue->config,
			    mmio->state.driver_features, mmio->config.ops->queue_size_max) < 0)
			set_needs_reset(mmio);
	}
}

static void set_half(uint64_t *address, bool high, uint32_t value)
{
	if (high)
		*address = (uint32_t)*address | (uint64_t)value << 32;
	else
		*address = (*address & ~(uint64_t)UINT32_MAX) | value;
}

/* 4.2.3.2: a queue is set up after FEATURES_OK, while it is not in use. */
static void write_queue_register(struct virtio_mmio *mmio, uint64_t offset, uint32_t value)
{
	struct virtio_mmio_queue *queue = selected_queue(mmio);
	struct virtqueue_config *config;

	if (!queue || !(mmio->state.status & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	config = &queue->config;
	if (offset == VIRTIO_MMIO_QUEUE_READY) {
		write_queue_ready(mmio, queue, value);
		return;
	}
	if (virtqueue_started(&queue->queue))
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		config->size = value;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_half(&config->desc, offset == VIRTIO_MMIO_QUEUE_DESC_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_half(&config->avail, offset == VIRTIO_MMIO_QUEUE_AVAIL_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_half(&config->used, offset == VIRTIO_MMIO_QUEUE_USED_HIGH, value);
		break;
	}
}

static void write_register(struct virtio_mmio *mmio, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		mmio->state.device_features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		mmio->state.driver_features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		write_driver_features(mmio, value);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		mmio->state.queue_sel = value;
		break;
	case VIRTIO_MMIO_STATUS:
		write_status(mmio, value);
		break;
	default:
		write_queue_register(mmio, offset, value);
	}
}

static void notify(struct virtio_mmio *mmio, uint32_t index)
{
	if (index >= mmio->config.queue_count)
		return;
	mmio->stats.notifications++;
	doorbell_ring(mmio->config.doorbell);
}

static void mmio_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct virtio_mmio *mmio = dev;

	if (offset < VIRTIO_MMIO_CONFIG && (size != 4 || offset % 4))
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		notify(mmio, (uint32_t)value);
		return;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		atomic_fetch_and(&mmio->interrupt_status, ~(unsigned)value);
		update_irq(mmio);
		return;
	}
	enter(mmio);
	if (offset < VIRTIO_MMIO_CONFIG)
		write_register(mmio, offset, (uint32_t)value);
	else
		mmio->config.ops->config_write(mmio->config.dev, offset - VIRTIO_MMIO_CONFIG, size, value);
	leave(mmio);
}

const struct bus_ops virtio_mmio_bus_ops = {
	.read = mmio_read,
	.write = mmio_write,
	.sizes = 1 | 2 | 4 | 8, /* registers answer to 4 only */
};

int virtio_mmio_init(struct virtio_mmio *mmio, const struct virtio_mmio_config *config)
{
	const struct virtio_device_ops *ops = config->ops;

	if (config->queue_count == 0 || config->queue_count > VIRTIO_QUEUES_MAX ||
		ops->queue_size_max > VIRTQUEUE_SIZE_MAX)
		return -EINVAL;
	*mmio = (struct virtio_mmio){.config = *config};
	mmio->queues = calloc(config->queue_count, sizeof(mmio->queues[0]));
	if (!mmio->queues) {
		mmio->config.ops = NULL;
		return -ENOMEM;
	}
	mmio->offered = ops->features(config->dev) | FEATURES_OF_TRANSPORT;
	pthread_mutex_init(&mmio->turn, NULL);
	pthread_mutex_init(&mmio->lock, NULL);
	return 0;
}

void virtio_mmio_fini(struct virtio_mmio *mmio)
{
	if (!mmio->config.ops)
		return; /* zeroed */
	free(mmio->queues);
	pthread_mutex_destroy(&mmio->lock);
	pthread_mutex_destroy(&mmio->turn);
	*mmio = (struct virtio_mmio){0};
}

/* What a round has met. */
struct round {
	bool more;           /* there is more to take right now */
	bool full;           /* the device could not take all */
	uint64_t not_before; /* 0, or when the earliest of the requests that have to wait may go */
};

/* Called with `lock` held: takes a batch of a queue's requests. */
static void take_batch(struct virtio_mmio *mmio, unsigned index, struct round *round)
{
	struct virtqueue *queue = &mmio->queues[index].queue;
	uint64_t not_before;
	int r = 1;

	if (!virtqueue_started(queue))
		return;
	virtqueue_disable_notify(queue);
	for (unsigned n = 0; r > 0 && n < VIRTIO_MMIO_BATCH; n++)
		r = mmio->config.ops->take(mmio->config.dev, index, queue, mmio->config.mem, &not_before);
	switch (r) {
	case 1:
		round->more = true;
		break;
	case 0:
		round->more |= virtqueue_enable_notify(queue);
		break;
	/* Notifications stay off where somebody comes back anyway, and finds what is new as well. */
	case -EAGAIN:
		round->not_before = round->not_before ? MIN(round->not_before, not_before) : not_before;
		break;
	case -EBUSY:
		round->full = true;
		break;
	default:
		set_needs_reset(mmio);
	}
}

/* Called with `lock` held. With `tell`, the driver is told of what is done also where there is more to take. */
static void serve_round(struct virtio_mmio *mmio, struct round *round, bool tell)
{
	unsigned count = mmio->config.queue_count;
	bool room;

	/* The driver may have reset the device since the last round, or stopped it. */
	for (unsigned i = 0; i < count && running(mmio); i++)
		take_batch(mmio, (mmio->first + i) % count, round);
	mmio->first = mmio->first + 1 < count ? mmio->first + 1 : 0;
	room = mmio->config.ops->progress(mmio->config.dev, false);
	round->more |= round->full && room;
	if (tell || !round->more)
		tell_driver(mmio);
}

static_assert(VIRTIO_MMIO_ROUNDS % VIRTIO_MMIO_TELL == 0, "the last round tells");

uint64_t virtio_mmio_serve(struct virtio_mmio *mmio)
{
	for (unsigned n = 1; n <= VIRTIO_MMIO_ROUNDS; n++) {
		struct round round = {0};

		/* The lock is dropped after each, so that a vCPU waits for one at most. */
		enter(mmio);
		serve_round(mmio, &round, n % VIRTIO_MMIO_TELL == 0);
		leave(mmio);
		if (!round.more)
			return round.not_before;
	}
	/* A driver that refills for ever must not keep other devices waiting. */
	doorbell_ring(mmio->config.doorbell);
	return 0;
}

void virtio_mmio_drain(struct virtio_mmio *mmio)
{
	enter(mmio);
	mmio->config.ops->progress(mmio->config.dev, true);
	tell_driver(mmio);
	leave(mmio);
}
