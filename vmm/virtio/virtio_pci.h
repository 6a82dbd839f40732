/*
 * The virtio-pci transport, modern devices alone (virtio 1.2, 4.1): a PCI function whose BAR 0 has the device's
 * registers, and which interrupts by MSI-X and by nothing else. A driver reads no register to learn of an interrupt, and
 * acknowledges none.
 *
 * The BAR decodes where it was before the guest ran, and nowhere else: a driver may ask it for its size and put it back.
 * A device that is started works whatever the command register says of bus mastering, which is kept and not asked.
 */
#pragma once

#include <stdatomic.h>

#include "bus/bus.h"
#include "bus/msix.h"
#include "bus/pci_function.h"
#include "virtio/virtio_transport.h"

#define VIRTIO_PCI_BAR_SIZE 0x4000u
/* The doorbell's offset, of all queues: the machine hangs an ioeventfd on it. */
#define VIRTIO_PCI_DOORBELL 0x1000u

struct virtio_pci {
	struct virtio_transport transport;
	struct pci_function function; /* for a host bridge */
	struct msix msix;
	uint32_t base;               /* BAR 0, while it decodes; constant */
	atomic_bool decodes;         /* written by the host bridge's caller, one at a time */
	atomic_uint isr;             /* VIRTIO_PCI_ISR_... bits; any thread */
	unsigned msix_at, access_at; /* capabilities in configuration space; constant */
	/* Guarded by the transport's lock: */
	uint16_t config_vector;
	uint16_t queue_vectors[VIRTIO_QUEUES_MAX];
};

extern const struct bus_ops
	virtio_pci_bus_ops; /* BAR 0: dev: a struct virtio_pci; VIRTIO_PCI_BAR_SIZE bytes */

/*
 * What config says of interrupts is not looked at: messages go by msi. class_code is PCI's. Errors as
 * virtio_transport_init().
 */
int virtio_pci_init(struct virtio_pci *pci, const struct virtio_transport_config *config, uint32_t base,
	uint32_t class_code, const struct msi_handle *msi);

/* After the vCPU and I/O threads are gone. Zeroed ones too. */
void virtio_pci_fini(struct virtio_pci *pci);
