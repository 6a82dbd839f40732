/* Storms of interrupts. */
#include <stddef.h>

#include "clock.h"
#include "console.h"
#include "hostile.h"
#include "hostile_rig.h"
#include "hw.h"
#include "ioapic.h"
#include "lapic.h"
#include "smp.h"
#include "trap.h"
#include "uart16550.h"
#include "../firmware/virtio_regs.h"
#include "x86.h"

#define VECTOR_STORM   0xf9
#define WAIT_US        5000000
#define STORM_US       500000
#define QUIET_US       2000
#define ICR            0x300u
#define ALL_OTHERS     0xc0000u
#define SELF           0x40000u
#define ASSERT         0x4000u
#define LEVEL          0x8000u
#define MASKED         0x10000u
#define UART_IER       1u
#define UART_IIR       2u
#define UART_IER_INPUT 1u
#define UART_IER_THRE  2u

static volatile uint64_t came;
static uint64_t wanted;

static void count_one(void *arg)
{
	(void)arg;
	came++;
}

static bool have_come(void *arg)
{
	(void)arg;
	return came >= wanted;
}

/* Not in hlt: there is always one more interrupt. */
static void spin_until(uint64_t count, uint64_t us)
{
	uint64_t start = rdtsc(), limit = clock_hz() / 1000000 * us;

	while (came < count && (count == FOREVER || rdtsc() - start < limit))
		cpu_pause();
}

static uint64_t lapic_base(void)
{
	return hw_find(HW_LAPIC, 0)->base;
}

static void write_pin(unsigned pin, uint32_t low)
{
	uint64_t base = hw_find(HW_IOAPIC, 0)->base;

	mmio_write32(base, 0x10 + 2 * pin);
	mmio_write32(base + 0x10, low);
}

/* InterruptStatus stays as it is for ever: each request may interrupt once more, and no more than that. */
static const char *no_ack(uint64_t rounds)
{
	const char *why = NULL;

	came = 0;
	rig_start();
	if (ioapic_route(rig.device.hw, count_one, NULL) != 0)
		return "the disk has no interrupt";
	rig_chain(0, BLK_T_IN, 0, rig_data, SECTOR_SIZE);
	for (uint64_t n = 0; why == NULL && n < rounds; n++)
		why = rig_try(RIG_ANSWER, "without an acknowledgement");
	if (why != NULL)
		return why;
	clock_delay(QUIET_US); /* for the last one, and for what comes by itself */
	return came == 0 || came > rounds + 1 ? "not an interrupt a request" : NULL;
}

/* It comes again as soon as it ends, and may leave no time for anything else: so it is the handler that ends it. */
static void count_level(void *arg)
{
	(void)arg;
	if (++came == wanted)
		write_pin((unsigned)disk_get(0)->device.hw->irq, MASKED);
}

/*
 * The same, the pin level-triggered. Not with KVM's IOAPIC: there the disk's interrupt is an edge whatever the pin is,
 * and comes once.
 */
static const char *level_storm(uint64_t rounds)
{
	unsigned pin = (unsigned)disk_get(0)->device.hw->irq;

	rig_start();
	came = 0;
	wanted = rounds;
	ioapic_route(rig.device.hw, count_level, NULL);
	write_pin(pin, (VECTOR_IRQ + pin) | LEVEL);
	rig_chain(0, BLK_T_IN, 0, rig_data, SECTOR_SIZE);
	rig_offer(0);
	rig_kick();
	spin_until(rounds, STORM_US);
	write_pin(pin, MASKED);
	rig_write(INTERRUPT_ACK, 3);
	write_pin(pin, VECTOR_IRQ + pin);
	return came > 0 ? NULL : "a level does not interrupt";
}

/* COM1's transmitter is always empty: to turn its interrupt off and on is an edge. */
static const char *edge_storm(uint64_t rounds)
{
	uint16_t port = uart_port();

	came = 0;
	console_flush();
	ioapic_route(hw_find(HW_SERIAL, 0), count_one, NULL);
	for (uint64_t n = 0; n < rounds; n++) {
		outb(port + UART_IER, 0);
		outb(port + UART_IER, UART_IER_THRE);
	}
	outb(port + UART_IER, 0);
	inb(port + UART_IIR);
	uart_init();
	return came < rounds / 2 || came > rounds + 1 ? "not an interrupt an edge" : NULL;
}

static const char *self_ipis(uint64_t rounds)
{
	came = 0;
	trap_set_handler(VECTOR_STORM, count_one, NULL);
	for (uint64_t n = 0; n < rounds; n++)
		mmio_write32(lapic_base() + ICR, VECTOR_STORM | SELF | ASSERT);
	wanted = 1; /* they merge while one is pending */
	return clock_wait(have_come, NULL, WAIT_US) ? NULL : "no IPI to ourselves came";
}

/* Every vector there is, those of exceptions among them (which a local APIC refuses below 16), in two modes. */
static const char *ipi_vectors(uint64_t rounds)
{
	(void)rounds;
	for (uint32_t vector = 0; vector < 16; vector++)
		mmio_write32(lapic_base() + ICR, vector | SELF | ASSERT);
	for (uint32_t vector = 0x20; vector < 0x30; vector++)
		mmio_write32(lapic_base() + ICR, vector | SELF | ASSERT);
	for (uint32_t vector = 0x80; vector < 0xf0; vector += 5)
		mmio_write32(lapic_base() + ICR, vector | SELF | ASSERT | LEVEL);
	return NULL;
}

static const char *ipi_storm(uint64_t rounds)
{
	trap_set_handler(VECTOR_STORM, count_one, NULL);
	came = 0;
	for (uint64_t n = 0; n < rounds; n++)
		mmio_write32(lapic_base() + ICR, VECTOR_STORM | ALL_OTHERS | ASSERT);
	wanted = 1;
	return clock_wait(have_come, NULL, WAIT_US) ? NULL : "no other CPU got any";
}

/* The shortest period there is: KVM bounds what it lets a guest have of the host. */
static const char *timer_storm(uint64_t rounds)
{
	came = 0;
	trap_set_handler(VECTOR_STORM, count_one, NULL);
	mmio_write32(lapic_base() + 0x3e0, 0xb);
	mmio_write32(lapic_base() + 0x320, VECTOR_STORM | 0x20000);
	mmio_write32(lapic_base() + 0x380, 1);
	spin_until(rounds, WAIT_US);
	mmio_write32(lapic_base() + 0x380, 0);
	return came >= rounds ? NULL : "the timer does not storm";
}

const struct attack attacks_irq[] = {
	{.name = "irq-no-ack",
		.run = no_ack,
		.rounds = 100,
		.disk = HW_VIRTIO_MMIO,
		.what = "the disk's interrupt is never acknowledged"},
	{.name = "irq-level",
		.run = level_storm,
		.rounds = 500,
		.disk = HW_VIRTIO_MMIO,
		.what = "a level that stays, through the IOAPIC"},
	{.name = "irq-edge",
		.run = edge_storm,
		.rounds = 500,
		.what = "COM1's interrupt on and off, by edges"},
	{.name = "irq-self", .run = self_ipis, .rounds = 500, .what = "IPIs to ourselves"},
	{.name = "irq-vectors",
		.run = ipi_vectors,
		.what = "IPIs of vectors that may not be, and nobody handles"},
	{.name = "irq-others",
		.run = ipi_storm,
		.rounds = 500,
		.smp = true,
		.what = "IPIs to all other CPUs"},
	{.name = "irq-timer",
		.run = timer_storm,
		.rounds = 50,
		.what = "the local APIC's timer, as quick as it goes"},
	{.name = NULL},
};
