/*
 * QEMU's pc-testdev (hw/misc/pc-testdev.c), which kvm-unit-tests asks for what no PC has: a latch on the I/O bus, RAM
 * behind MMIO, a wire to every interrupt line, and a page of guest memory that KVM has to look up anew.
 *
 * Three ranges serve it: registers (0xe0 on a PC), lines (0x2000) and memory (0xff000000).
 */
#pragma once

#include <pthread.h>
#include <stdint.h>

#include "bus/bus.h"
#include "bus/irq.h"

#define PC_TESTDEV_REGISTERS 12
#define PC_TESTDEV_LINES     24
#define PC_TESTDEV_MEMORY    0x10000

struct pc_testdev_config {
	struct irq_line lines[PC_TESTDEV_LINES];
	/*
	 * Has KVM forget where the page of guest memory at gpa is; the guest's choice, any number. Any thread.
	 */
	void (*flush_page)(const void *ctx, uint64_t gpa);
	const void *flush_ctx;
};

struct pc_testdev {
	struct pc_testdev_config config;
	pthread_mutex_t lock; /* guards all below; not held for lines and flush_page */
	uint32_t latch;
	uint8_t *memory; /* PC_TESTDEV_MEMORY bytes */
};

/* dev: a struct pc_testdev */
extern const struct bus_ops pc_testdev_register_ops;
extern const struct bus_ops pc_testdev_line_ops;
extern const struct bus_ops pc_testdev_memory_ops;

/* 0 or -ENOMEM. */
int pc_testdev_init(struct pc_testdev *testdev, const struct pc_testdev_config *config);
void pc_testdev_fini(struct pc_testdev *testdev);
