/*
 * The virtio-mmio transport, version 2 (virtio 1.2, 4.2): the register file in front of a virtio
 * device, and one interrupt line.
 *
 * The registers that an interrupt handler or a notification touches (InterruptStatus, InterruptACK, QueueNotify) take no
 * lock; all others take the transport's.
 */
#pragma once

#include "bus/bus.h"
#include "bus/irq.h"
#include "virtio/virtio_transport.h"

/* The doorbell register: the machine hangs an ioeventfd on it, for the index of any queue. */
#ifndef VIRTIO_MMIO_QUEUE_NOTIFY /* <linux/virtio_mmio.h> has the same */
#define VIRTIO_MMIO_QUEUE_NOTIFY 0x050
#endif

struct virtio_mmio {
	struct virtio_transport transport;
	struct irq_line irq;
	atomic_uint interrupt_status; /* VIRTIO_MMIO_INT_*; any thread */
};

extern const struct bus_ops virtio_mmio_bus_ops; /* dev: a struct virtio_mmio; VIRTIO_MMIO_SIZE bytes */

/*
 * What config says of interrupts is not looked at: irq is set to "interrupt_status is not 0" for each new cause and after
 * each acknowledgement. So every set(true) may be an edge of its own as well: none is missing as long as the pin is not
 * masked. Errors as virtio_transport_init().
 */
int virtio_mmio_init(
	struct virtio_mmio *mmio, const struct virtio_transport_config *config, struct irq_line irq);

/* After the vCPU and I/O threads are gone. Zeroed ones too. */
void virtio_mmio_fini(struct virtio_mmio *mmio);
