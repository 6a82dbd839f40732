/*
 * The other CPUs: started with INIT and SIPI (Intel SDM vol. 3, 9.4), then idle in hlt, woken by IPIs.
 * Only the boot CPU runs commands; the others run interrupt handlers and nothing else.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SMP_CPUS_MAX 64

struct smp_cpu {
	volatile bool alive;
	volatile uint64_t pings; /* IPIs that it has answered */
};

/* By local APIC ID; the boot CPU's place too. */
extern struct smp_cpu smp_cpus[SMP_CPUS_MAX];

/* Sends all of them on their way and does not wait; needs the local APIC. */
void smp_start(void);

/* Waits, two seconds at most, until all are alive; returns how many are, the boot CPU among them. */
unsigned smp_wait(void);

/* The boot CPU's APIC ID, and whether we are it. */
uint32_t smp_boot_id(void);
bool smp_is_boot_cpu(void);

/* Ping-pong: an IPI there and one back. False: no answer within a second. */
bool smp_ping(uint32_t id);

/* All others add one to a counter, at once; returns what it is when all have, or a second later. */
unsigned smp_count_all(void);
