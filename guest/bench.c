/* The bench command: "bench NAME VALUE UNIT" lines. */
#include <stddef.h>

#include "clock.h"
#include "commands.h"
#include "console.h"
#include "hw.h"
#include "lapic.h"
#include "trap.h"
#include "uart16550.h"
#include "virtio_blk.h"
#include "x86.h"

#define EXITS        200u
#define STEPS        2000u
#define TIMER_ROUNDS 20u
#define TIMER_US     500u
#define REQUESTS     50u

static void result(const char *name, uint64_t ticks, uint64_t count)
{
	print("bench %s %lu ns\n", name, clock_ticks_to_ns(ticks) / count);
}

/* Two instructions a round: what a host that emulates ring 0 makes of them. */
static void bench_steps(void)
{
	uint64_t n = STEPS / 2, start = rdtsc();

	__asm__ volatile("1: decq %0; jnz 1b" : "+r"(n));
	result("ring0-instruction", rdtsc() - start, STEPS);
}

static void bench_pio(void)
{
	uint16_t lsr = (uint16_t)(uart_port() + 5);
	uint64_t start = rdtsc();

	for (unsigned i = 0; i < EXITS; i++)
		inb(lsr);
	result("pio-exit", rdtsc() - start, EXITS);
}

static void bench_mmio(void)
{
	const struct hw_device *slot = hw_find(HW_VIRTIO_MMIO, 0);
	uint64_t base = slot != NULL ? slot->base : disk_get(0) != NULL ? disk_get(0)->device.base : 0;

	if (base == 0)
		return;
	uint64_t start = rdtsc();

	for (unsigned i = 0; i < EXITS; i++)
		mmio_read32(base);
	result("mmio-exit", rdtsc() - start, EXITS);
}

static volatile uint64_t timer_tsc;

static void note_timer(void *arg)
{
	(void)arg;
	timer_tsc = rdtsc();
}

/* From when the timer should have run out to the handler's first instructions. */
static void bench_timer(void)
{
	uint64_t due = clock_hz() / 1000000 * TIMER_US;
	uint64_t sum = 0, least = UINT64_MAX, most = 0;

	if (!lapic_present() || lapic_timer_hz() == 0)
		return;
	for (unsigned i = 0; i < TIMER_ROUNDS; i++) {
		trap_set_handler(VECTOR_TIMER, note_timer, NULL);
		timer_tsc = 0;
		cli();
		lapic_timer_start(TIMER_US, false);
		uint64_t start = rdtsc();

		while (timer_tsc == 0)
			sti_hlt_cli();
		sti();
		uint64_t late = timer_tsc - start > due ? timer_tsc - start - due : 0;

		sum += late;
		least = late < least ? late : least;
		most = late > most ? late : most;
	}
	result("timer-latency-min", least, 1);
	result("timer-latency-mean", sum, TIMER_ROUNDS);
	result("timer-latency-max", most, 1);
}

static void bench_disk(struct disk *disk)
{
	static uint8_t data[SECTOR_SIZE] __attribute__((aligned(512)));
	uint64_t start = rdtsc();

	for (unsigned i = 0; i < REQUESTS; i++) {
		if (disk_request(disk, BLK_T_IN, 0, data, SECTOR_SIZE, 0) != BLK_S_OK)
			return;
	}
	result("blk-read-512", rdtsc() - start, REQUESTS);
}

int command_bench(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	result("boot-to-banner", clock_banner_tsc - boot_tsc, 1);
	result("boot-to-devices", clock_devices_tsc - boot_tsc, 1);
	result("boot-to-ready", clock_ready_tsc - boot_tsc, 1);
	bench_steps();
	bench_pio();
	bench_mmio();
	bench_timer();
	if (disk_get(0) != NULL)
		bench_disk(disk_get(0));
	return 0;
}
