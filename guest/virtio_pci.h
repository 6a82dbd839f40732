/* The virtio-pci transport (virtio 1.2, 4.1), without its legacy form; interrupts by MSI-X only. */
#pragma once

#include "virtio.h"

extern const struct virtio_transport virtio_pci;
