/*
 * Attacks on the VMM, each a function of a few lines. An attack knows what has to come of it, and says where
 * something else did; hostile.c tries afterwards whether the machine is still good for anything.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hw.h"

#define FOREVER UINT64_MAX

struct attack {
	const char *name;
	/* NULL: it came to what it should; else what did not. Never returns where the attack is to end the run. */
	const char *(*run)(uint64_t rounds);
	uint64_t rounds;   /* how often, unless the command says otherwise; 0: it has no rounds */
	bool ends;         /* the run, if all goes well: not one of "hostile all" */
	bool smp;          /* needs a second CPU */
	enum hw_kind disk; /* HW_VIRTIO_...: the disk has to be there; HW_OTHER: anywhere */
	const char *what;
};

/* Each ends with name NULL. */
extern const struct attack
	attacks_queue[]; /* hostile_queue.c: what the driver says of a queue and its indices */
extern const struct attack attacks_chain[]; /* hostile_chain.c: descriptors */
extern const struct attack attacks_disk[];  /* hostile_disk.c: requests */
extern const struct attack attacks_dma[];   /* hostile_dma.c: data that lands where it matters */
extern const struct attack attacks_race[];  /* hostile_race.c: another CPU changes what the device reads */
extern const struct attack attacks_reset[]; /* hostile_reset.c: resets while requests are in flight */
extern const struct attack attacks_irq[];   /* hostile_irq.c: interrupts */
extern const struct attack attacks_io[];    /* hostile_io.c: ports and registers */
extern const struct attack attacks_pci[];   /* hostile_pci.c: configuration space, BARs, MSI-X */
extern const struct attack attacks_cpu[];   /* hostile_cpu.c: MSRs, addresses, other CPUs */
extern const struct attack attacks_end[];   /* hostile_end.c: all ways to end the run */
