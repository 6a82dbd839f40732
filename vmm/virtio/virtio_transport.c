#include "virtio/virtio_transport.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"

#define STATUS_OF_DRIVER                                                                      \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK | \
		VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FAILED)

#define FEATURE(bit) (UINT64_C(1) << (bit))
#define FEATURES_OF_TRANSPORT                                                 \
	(FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VIRTIO_RING_F_INDIRECT_DESC) | \
		FEATURE(VIRTIO_RING_F_EVENT_IDX))

void virtio_transport_enter(struct virtio_transport *transport)
{
	pthread_mutex_lock(&transport->turn);
	pthread_mutex_lock(&transport->lock);
	pthread_mutex_unlock(&transport->turn);
}

void virtio_transport_leave(struct virtio_transport *transport)
{
	pthread_mutex_unlock(&transport->lock);
}

static void interrupt_used(struct virtio_transport *transport, uint64_t queues)
{
	transport->stats.interrupts++;
	transport->config.interrupts.used(transport->config.interrupts.ctx, queues);
}

static void interrupt_config(struct virtio_transport *transport)
{
	transport->stats.interrupts++;
	transport->config.interrupts.config(transport->config.interrupts.ctx);
}

/* Called with `lock` held. A device that is not running leaves the rings alone. */
static bool running(const struct virtio_transport *transport)
{
	uint32_t stopped = VIRTIO_CONFIG_S_NEEDS_RESET | VIRTIO_CONFIG_S_FAILED;

	return (transport->state.status & (VIRTIO_CONFIG_S_DRIVER_OK | stopped)) == VIRTIO_CONFIG_S_DRIVER_OK;
}

/* Called with `lock` held. The driver broke the rules (virtio 1.2, 2.1.2). */
static void set_needs_reset(struct virtio_transport *transport)
{
	if (transport->state.status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	transport->stats.broken++;
	transport->state.status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	if (transport->state.status & VIRTIO_CONFIG_S_DRIVER_OK)
		interrupt_config(transport);
}

/* Called with `lock` held. */
static void tell_driver(struct virtio_transport *transport)
{
	uint64_t wanted = 0;

	for (unsigned i = 0; i < transport->config.queue_count; i++) {
		struct virtqueue *queue = &transport->queues[i].queue;

		if (virtqueue_started(queue) && virtqueue_should_interrupt(queue))
			wanted |= UINT64_C(1) << i;
	}
	if (wanted)
		interrupt_used(transport, wanted);
}

static_assert(VIRTIO_QUEUES_MAX <= 64, "a bit a queue");

/* Called with `lock` held. What was taken is answered before its queue goes. */
static void reset(struct virtio_transport *transport)
{
	transport->config.ops->progress(transport->config.dev, true);
	memset(transport->queues, 0, transport->config.queue_count * sizeof(transport->queues[0]));
	transport->state = (struct virtio_transport_state){0};
	transport->config.ops->reset(transport->config.dev);
}

struct virtio_transport_queue *virtio_transport_selected(const struct virtio_transport *transport)
{
	uint32_t index = transport->state.queue_sel;

	return index < transport->config.queue_count ? &transport->queues[index] : NULL;
}

uint32_t virtio_transport_features(const struct virtio_transport *transport)
{
	uint32_t word = transport->state.device_features_sel;

	return word < 2 ? (uint32_t)(transport->offered >> (32 * word)) : 0;
}

void virtio_transport_take_features(struct virtio_transport *transport, uint32_t value)
{
	uint32_t word = transport->state.driver_features_sel;
	uint64_t *features = &transport->state.driver_features;

	/* Negotiation is over with FEATURES_OK (3.1.1); words from 2 on hold no feature. */
	if ((transport->state.status & VIRTIO_CONFIG_S_FEATURES_OK) || word >= 2)
		return;
	*features &= ~((uint64_t)UINT32_MAX << (32 * word));
	*features |= (uint64_t)value << (32 * word);
}

static bool features_acceptable(const struct virtio_transport *transport)
{
	uint64_t features = transport->state.driver_features;

	return !(features & ~transport->offered) && (features & FEATURE(VIRTIO_F_VERSION_1));
}

/* 2.1.1: bits only accumulate until a reset clears them. A bit that comes too early is not set. */
void virtio_transport_set_status(struct virtio_transport *transport, uint32_t value)
{
	const uint32_t met = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;
	uint32_t old = transport->state.status;
	uint32_t next = old | (value & STATUS_OF_DRIVER);

	if (value == 0) {
		reset(transport);
		return;
	}
	if (!(old & VIRTIO_CONFIG_S_FEATURES_OK) && ((next & met) != met || !features_acceptable(transport)))
		next &= ~(uint32_t)VIRTIO_CONFIG_S_FEATURES_OK;
	if (!(next & VIRTIO_CONFIG_S_FEATURES_OK))
		next &= ~(uint32_t)VIRTIO_CONFIG_S_DRIVER_OK;
	transport->state.status = next;
	if (next & ~old & VIRTIO_CONFIG_S_FEATURES_OK)
		transport->config.ops->negotiated(transport->config.dev, transport->state.driver_features);
	/* Whoever rang before DRIVER_OK was not served. */
	if (next & ~old & VIRTIO_CONFIG_S_DRIVER_OK)
		doorbell_ring(transport->config.doorbell);
}

struct virtqueue_config *virtio_transport_queue_config(const struct virtio_transport *transport)
{
	struct virtio_transport_queue *queue = virtio_transport_selected(transport);

	if (!queue || !(transport->state.status & VIRTIO_CONFIG_S_FEATURES_OK) ||
		virtqueue_started(&queue->queue))
		return NULL;
	return &queue->config;
}

/* What was taken of a queue that stops is answered first. */
void virtio_transport_enable_queue(struct virtio_transport *transport, bool enable)
{
	struct virtio_transport_queue *queue = virtio_transport_selected(transport);

	if (!queue || !(transport->state.status & VIRTIO_CONFIG_S_FEATURES_OK) ||
		enable == virtqueue_started(&queue->queue))
		return;
	if (enable) {
		if (virtqueue_start(&queue->queue, transport->config.mem, &queue->config,
			    transport->state.driver_features, transport->config.ops->queue_size_max) < 0)
			set_needs_reset(transport);
	} else {
		transport->config.ops->progress(transport->config.dev, true);
		tell_driver(transport);
		virtqueue_stop(&queue->queue);
	}
}

void virtio_transport_notify(struct virtio_transport *transport, uint32_t index)
{
	if (index >= transport->config.queue_count)
		return;
	transport->stats.notifications++;
	doorbell_ring(transport->config.doorbell);
}

int virtio_transport_init(struct virtio_transport *transport, const struct virtio_transport_config *config)
{
	const struct virtio_device_ops *ops = config->ops;

	if (config->queue_count == 0 || config->queue_count > VIRTIO_QUEUES_MAX ||
		ops->queue_size_max > VIRTQUEUE_SIZE_MAX)
		return -EINVAL;
	*transport = (struct virtio_transport){.config = *config};
	transport->queues = calloc(config->queue_count, sizeof(transport->queues[0]));
	if (!transport->queues) {
		transport->config.ops = NULL;
		return -ENOMEM;
	}
	transport->offered = ops->features(config->dev) | FEATURES_OF_TRANSPORT;
	pthread_mutex_init(&transport->turn, NULL);
	pthread_mutex_init(&transport->lock, NULL);
	return 0;
}

void virtio_transport_fini(struct virtio_transport *transport)
{
	if (!transport->config.ops)
		return; /* zeroed */
	free(transport->queues);
	pthread_mutex_destroy(&transport->lock);
	pthread_mutex_destroy(&transport->turn);
	*transport = (struct virtio_transport){0};
}

/* What a round has met. */
struct round {
	bool stays;          /* told before: whoever serves comes back without a ring */
	bool more;           /* there is more to take right now */
	bool full;           /* the device could not take all */
	uint64_t not_before; /* 0, or when the earliest of the requests that have to wait may go */
};

/* Called with `lock` held: takes a batch of a queue's requests. */
static void take_batch(struct virtio_transport *transport, unsigned index, struct round *round)
{
	struct virtqueue *queue = &transport->queues[index].queue;
	uint64_t not_before;
	int r = 1;

	if (!virtqueue_started(queue))
		return;
	virtqueue_disable_notify(queue);
	for (unsigned n = 0; r > 0 && n < VIRTIO_BATCH; n++) {
		r = transport->config.ops->take(
			transport->config.dev, index, queue, transport->config.mem, &not_before);
		transport->taken += r > 0;
	}
	switch (r) {
	case 1:
		round->more = true;
		break;
	case 0:
		if (!round->stays)
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
		set_needs_reset(transport);
	}
}

/* Called with `lock` held. With `tell`, the driver is told of what is done also where there is more to take. */
static void serve_round(struct virtio_transport *transport, struct round *round, bool tell)
{
	unsigned count = transport->config.queue_count;
	bool room;

	/* The driver may have reset the device since the last round, or stopped it. */
	for (unsigned i = 0; i < count && running(transport); i++)
		take_batch(transport, (transport->first + i) % count, round);
	transport->first = transport->first + 1 < count ? transport->first + 1 : 0;
	room = transport->config.ops->progress(transport->config.dev, false);
	round->more |= round->full && room;
	if (tell || !round->more)
		tell_driver(transport);
}

static_assert(VIRTIO_ROUNDS % VIRTIO_TELL == 0, "the last round tells");

static uint64_t serve(struct virtio_transport *transport, bool stays)
{
	for (unsigned n = 1; n <= VIRTIO_ROUNDS; n++) {
		struct round round = {.stays = stays};

		/* The lock is dropped after each, so that a vCPU waits for one at most. */
		virtio_transport_enter(transport);
		serve_round(transport, &round, n % VIRTIO_TELL == 0);
		virtio_transport_leave(transport);
		if (!round.more)
			return round.not_before;
	}
	/* A driver that refills for ever must not keep other devices waiting. */
	if (!stays)
		doorbell_ring(transport->config.doorbell);
	return 0;
}

uint64_t virtio_transport_serve(struct virtio_transport *transport)
{
	return serve(transport, false);
}

void virtio_transport_look(struct virtio_transport *transport)
{
	serve(transport, true);
}

void virtio_transport_drain(struct virtio_transport *transport)
{
	virtio_transport_enter(transport);
	transport->config.ops->progress(transport->config.dev, true);
	tell_driver(transport);
	virtio_transport_leave(transport);
}
