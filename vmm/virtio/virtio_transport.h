/*
 * What the transports of virtio have in common (virtio 1.2, 2.1, 3.1, 4.1 to 4.3): the device's status, negotiation, its
 * queues, and how they are served. A transport is a layout of registers in front of it, and a way to interrupt.
 *
 * vCPU threads come through the transport, the I/O thread through virtio_transport_serve(). Ringing takes no lock, so that
 * a vCPU never waits there for a disk; whatever else a driver does takes `lock`.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus/doorbell.h"
#include "virtio/virtio_device.h"
#include "virtio/virtqueue.h"

/*
 * Requests of a queue that virtio_transport_serve() takes in a round, before the host begins with them: a vCPU that writes
 * a register waits for so many at most.
 */
#define VIRTIO_BATCH 8
/*
 * Rounds until the driver is told of what is done, where there is more to take: told at once, a guest that shares its CPU
 * with us would come back with one or two requests at a time.
 */
#define VIRTIO_TELL 4
/* Rounds until other devices of the thread have a turn. */
#define VIRTIO_ROUNDS 32

/* How the driver is told. Called with `lock` held, on any thread; must not block. */
struct virtio_interrupts {
	void (*used)(
		void *ctx, uint64_t queues); /* a bit for each queue with answers that it wants to hear of */
	void (*config)(void *ctx);           /* the device's configuration, or its status, has changed */
	void *ctx;
};

struct virtio_transport_config {
	const struct guest_memory *mem;
	const struct virtio_device_ops *ops;
	void *dev;
	struct virtio_interrupts interrupts;
	/* Of all queues; rung where KVM's ioeventfd did not take the guest's write, and where there is more to do. */
	const struct doorbell *doorbell;
	unsigned queue_count; /* 1 to VIRTIO_QUEUES_MAX */
};

/* What the guest can see and set: no pointers. */
struct virtio_transport_state {
	uint32_t status;
	uint32_t device_features_sel;
	uint32_t driver_features_sel;
	uint32_t queue_sel;
	uint64_t driver_features;
};

struct virtio_transport_queue {
	struct virtqueue queue;
	struct virtqueue_config config; /* what the guest says of it */
};

/* Counts since the start, resets included; any thread may read them. */
struct virtio_transport_stats {
	_Atomic uint64_t notifications; /* of the driver's, that no ioeventfd took */
	_Atomic uint64_t interrupts;    /* causes given to the driver */
	_Atomic uint64_t broken;        /* times the device set DEVICE_NEEDS_RESET */
};

struct virtio_transport {
	struct virtio_transport_config config; /* constant, as is the next one */
	uint64_t offered;                      /* feature bits */

	struct virtio_transport_stats stats;

	/*
	 * `turn` is taken before `lock` and given back once `lock` is held: who waits for `lock` is
	 * next, and the I/O thread, which takes it again at once for the next round, cannot overtake.
	 */
	pthread_mutex_t turn;
	pthread_mutex_t lock; /* guards all below and every call of config.ops and config.interrupts */
	struct virtio_transport_state state;
	struct virtio_transport_queue *queues; /* config.queue_count of them */
	unsigned first;                        /* the queue that is served first in the next round */
	uint64_t taken;                        /* requests in all, for whoever serves; by him alone */
};

/* The device comes up reset. -EINVAL: too many queues, or too large; -ENOMEM. */
int virtio_transport_init(struct virtio_transport *transport, const struct virtio_transport_config *config);

/* After the vCPU and I/O threads are gone. Zeroed ones too. */
void virtio_transport_fini(struct virtio_transport *transport);

/* Around each of the next group. */
void virtio_transport_enter(struct virtio_transport *transport);
void virtio_transport_leave(struct virtio_transport *transport);

/* Of the feature bits that are offered, the 32 that the driver has selected. */
uint32_t virtio_transport_features(const struct virtio_transport *transport);
/* The driver takes these of the 32 that it has selected, as long as it may. */
void virtio_transport_take_features(struct virtio_transport *transport, uint32_t value);
/* The driver writes the status; 0 resets the device, which answers first what it has taken. */
void virtio_transport_set_status(struct virtio_transport *transport, uint32_t value);
/* NULL: the driver selected a queue that does not exist. */
struct virtio_transport_queue *virtio_transport_selected(const struct virtio_transport *transport);
/* The selected queue's, where the driver may set it: after FEATURES_OK, while the queue is not in use; else NULL. */
struct virtqueue_config *virtio_transport_queue_config(const struct virtio_transport *transport);
/* The driver starts or stops the selected queue, if it may. It starts again at index 0. */
void virtio_transport_enable_queue(struct virtio_transport *transport, bool enable);

/* The driver rings for a queue, or for one that does not exist. Any thread, without the lock. */
void virtio_transport_notify(struct virtio_transport *transport, uint32_t index);

/*
 * The I/O thread, when the doorbell rang or the device has something to answer: serves all queues until they are
 * empty, answers what is done, and tells the driver if it wants that. After VIRTIO_ROUNDS it rings the doorbell
 * again and returns. Returns 0, or the time of clock_ns() at which to call it again, whatever else calls it: the device
 * has a request that must not go before. To call it earlier does no harm.
 */
uint64_t virtio_transport_serve(struct virtio_transport *transport);

/*
 * The same, by a thread that comes back before long without a ring, and at last with virtio_transport_serve(): drivers
 * are asked not to notify meanwhile.
 */
void virtio_transport_look(struct virtio_transport *transport);

/* Waits until all requests that were taken are answered. Any thread. */
void virtio_transport_drain(struct virtio_transport *transport);

/* Sets one half of a 64-bit address. */
static inline void virtio_set_half(uint64_t *address, bool high, uint32_t value)
{
	if (high)
		*address = (uint32_t)*address | (uint64_t)value << 32;
	else
		*address = (*address & ~(uint64_t)UINT32_MAX) | value;
}
