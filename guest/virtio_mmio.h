/* The virtio-mmio transport (virtio 1.2, 4.2), and its legacy form (4.2.4), QEMU's default. */
#pragma once

#include "virtio.h"

extern const struct virtio_transport virtio_mmio;
