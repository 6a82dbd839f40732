/*
 * The virtio-mmio transport, version 2 (virtio 1.2, 4.2): the register file in front of a virtio
 * device.
 *
 * vCPU threads enter it through the bus, the I/O thread through virtio_mmio_serve(). The registers that an
 * interrupt handler or a notification touches (InterruptStatus, InterruptACK, QueueNotify) take no lock, so
 * that a vCPU never waits there for a disk; all others take `lock`.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "bus/bus.h"
#include "bus/doorbell.h"
#include "bus/irq.h"
#include "virtio/virtio_device.h"
#include "virtio/virtqueue.h"

/* The doorbell register: the machine hangs an ioeventfd on it, for the index of any queue. */
#ifndef VIRTIO_MMIO_QUEUE_NOTIFY /* <linux/virtio_mmio.h> has the same */
#define VIRTIO_MMIO_QUEUE_NOTIFY 0x050
#endif

/*
 * Requests of a queue that virtio_mmio_serve() takes in a round, before the host begins with them: a vCPU that writes a
 * register waits for so many at most.
 */
#define VIRTIO_MMIO_BATCH 8
/*
 * Rounds until the driver is told of what is done, where there is more to take: told at once, a guest that shares its CPU
 * with us would come back with one or two requests at a time.
 */
#define VIRTIO_MMIO_TELL 4
/* Rounds until other devices of the thread have a turn. */
#define VIRTIO_MMIO_ROUNDS 32

struct virtio_mmio_config {
	const struct guest_memory *mem;
	const struct virtio_device_ops *ops;
	void *dev;
	/*
	 * Set to "interrupt_status is not 0" for each new cause and after each acknowledgement. So every
	 * set(true) may be an edge of its own as well: none is missing as long as the pin is not masked.
	 */
	struct irq_line irq;
	/* Of all queues; rung where KVM's ioeventfd did not take the guest's write, and where there is more to do. */
	const struct doorbell *doorbell;
	unsigned queue_count; /* 1 to VIRTIO_QUEUES_MAX */
};

/* What the guest can see and set: no pointers. */
struct virtio_mmio_state {
	uint32_t status;
	uint32_t device_features_sel;
	uint32_t driver_features_sel;
	uint32_t queue_sel;
	uint64_t driver_features;
};

struct virtio_mmio_queue {
	struct virtqueue queue;
	struct virtqueue_config config; /* what the guest says of it */
};

/* Counts since the start, resets included; any thread may read them. */
struct virtio_mmio_stats {
	_Atomic uint64_t notifications; /* QueueNotify writes that no ioeventfd took */
	_Atomic uint64_t interrupts;    /* causes given to the driver */
	_Atomic uint64_t broken;        /* times the device set DEVICE_NEEDS_RESET */
};

struct virtio_mmio {
	struct virtio_mmio_config config; /* constant, as is the next one */
	uint64_t offered;                 /* feature bits */

	atomic_uint interrupt_status; /* VIRTIO_MMIO_INT_*; any thread */
	struct virtio_mmio_stats stats;

	/*
	 * `turn` is taken before `lock` and given back once `lock` is held: who waits for `lock` is
	 * next, and the I/O thread, which takes it again at once for the next round, cannot overtake.
	 */
	pthread_mutex_t turn;
	pthread_mutex_t lock; /* guards all below and every call of config.ops */
	struct virtio_mmio_state state;
	struct virtio_mmio_queue *queues; /* config.queue_count of them */
	unsigned first;                   /* the queue that is served first in the next round */
};

extern const struct bus_ops virtio_mmio_bus_ops; /* dev: a struct virtio_mmio; VIRTIO_MMIO_SIZE bytes */

/* The device comes up reset. -EINVAL: too many queues, or too large; -ENOMEM. */
int virtio_mmio_init(struct virtio_mmio *mmio, const struct virtio_mmio_config *config);

/* After the vCPU and I/O threads are gone. */
void virtio_mmio_fini(struct virtio_mmio *mmio);

/*
 * The I/O thread, when the doorbell rang or the device has something to answer: serves all queues until they are
 * empty, answers what is done, and tells the driver if it wants that. After VIRTIO_MMIO_ROUNDS it rings the doorbell
 * again and returns. Returns 0, or the time of clock_ns() at which to call it again, whatever else calls it: the device
 * has a request that must not go before. To call it earlier does no harm.
 */
uint64_t virtio_mmio_serve(struct virtio_mmio *mmio);

/* Waits until all requests that were taken are answered. Any thread. */
void virtio_mmio_drain(struct virtio_mmio *mmio);
