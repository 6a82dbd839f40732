#include "smp.h"

#include <stddef.h>

#include "clock.h"
#include "hw.h"
#include "lapic.h"
#include "str.h"
#include "trap.h"
#include "x86.h"

/*
 * Where the others begin, in real mode: a page below 1 MiB that no VMM's boot data lies in (lodge's ends at
 * 0x40000), and that stays clear of the EBDA at 0x9fc00.
 */
#define TRAMPOLINE 0x90000u
#define PAGE_SIZE  0x1000u

#define RESEND_US 10000
#define START_US  2000000
#define ANSWER_US 1000000

extern const char smp_trampoline[]; /* smp_entry.S */
extern const uint64_t smp_trampoline_size;

struct smp_cpu smp_cpus[SMP_CPUS_MAX];
static uint32_t boot_id;
static bool started;
static volatile unsigned pongs, counted;

void smp_main(uint32_t id); /* called by smp_entry.S only, on each CPU's own stack */

void smp_main(uint32_t id)
{
	lapic_enable();
	smp_cpus[id].alive = true;
	for (;;)
		sti_hlt_cli();
}

uint32_t smp_boot_id(void)
{
	return boot_id;
}

bool smp_is_boot_cpu(void)
{
	return !started || lapic_id() == boot_id;
}

static void answer_ping(void *arg)
{
	(void)arg;
	smp_cpus[lapic_id()].pings++;
	lapic_send_ipi(boot_id, VECTOR_PONG);
}

static void take_pong(void *arg)
{
	(void)arg;
	pongs++;
}

static void count_me(void *arg)
{
	(void)arg;
	__atomic_fetch_add(&counted, 1, __ATOMIC_SEQ_CST);
}

/* Whether the page is RAM, as far as we were told of RAM. */
static bool trampoline_is_ram(void)
{
	for (unsigned i = 0; i < hw.memory_count; i++) {
		const struct hw_range *r = &hw.memory[i];

		if (r->type == HW_RAM && r->base <= TRAMPOLINE && r->base + r->size >= TRAMPOLINE + PAGE_SIZE)
			return true;
	}
	return false;
}

static unsigned cpus_wanted(void)
{
	return hw.cpus < SMP_CPUS_MAX ? hw.cpus : SMP_CPUS_MAX;
}

/* APIC IDs go from 0 on without a gap: so lodge and QEMU number theirs. */
static void send_sipi(void)
{
	for (uint32_t id = 0; id < cpus_wanted(); id++) {
		if (!smp_cpus[id].alive)
			lapic_send_sipi(id, TRAMPOLINE / PAGE_SIZE);
	}
}

void smp_start(void)
{
	boot_id = lapic_id();
	if (boot_id >= SMP_CPUS_MAX)
		return;
	smp_cpus[boot_id].alive = true;
	if (cpus_wanted() < 2 || !lapic_present() || !trampoline_is_ram())
		return;
	started = true;
	trap_set_handler(VECTOR_PING, answer_ping, NULL);
	trap_set_handler(VECTOR_PONG, take_pong, NULL);
	trap_set_handler(VECTOR_COUNT, count_me, NULL);
	memcpy((void *)(uintptr_t)TRAMPOLINE, smp_trampoline, smp_trampoline_size);
	/* The 10 ms that hardware wants between INIT and SIPI are for real boards: a virtual CPU resets at once. */
	for (uint32_t id = 0; id < cpus_wanted(); id++) {
		if (id != boot_id)
			lapic_send_init(id);
	}
	send_sipi();
}

static unsigned count_alive(void)
{
	unsigned count = 0;

	for (uint32_t id = 0; id < SMP_CPUS_MAX; id++) {
		if (smp_cpus[id].alive)
			count++;
	}
	return count;
}

static bool all_alive(void *arg)
{
	(void)arg;
	return count_alive() >= cpus_wanted();
}

unsigned smp_wait(void)
{
	if (started && !clock_wait(all_alive, NULL, RESEND_US)) {
		send_sipi(); /* the second one that the SDM wants; who has started takes no notice */
		clock_wait(all_alive, NULL, START_US);
	}
	return count_alive();
}

static bool have_pongs(void *wanted)
{
	return pongs == *(const unsigned *)wanted;
}

bool smp_ping(uint32_t id)
{
	unsigned wanted = pongs + 1;

	if (!started)
		return false;
	lapic_send_ipi(id, VECTOR_PING);
	return clock_wait(have_pongs, &wanted, ANSWER_US);
}

static bool have_counted(void *wanted)
{
	return counted == *(const unsigned *)wanted;
}

unsigned smp_count_all(void)
{
	unsigned wanted = count_alive() - 1;

	counted = 0;
	if (!started)
		return 0;
	for (uint32_t id = 0; id < SMP_CPUS_MAX; id++) {
		if (smp_cpus[id].alive && id != boot_id)
			lapic_send_ipi(id, VECTOR_COUNT);
	}
	clock_wait(have_counted, &wanted, ANSWER_US);
	return counted;
}
