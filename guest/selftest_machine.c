/* Exceptions, timer, serial line, memory, clock. Each test takes milliseconds at 0.6 us a step. */
#include "selftest.h"

#include <stddef.h>

#include "clock.h"
#include "fault.h"
#include "hw.h"
#include "lapic.h"
#include "map.h"
#include "rtc146818.h"
#include "smp.h"
#include "trap.h"
#include "uart16550.h"
#include "x86.h"

#define MEMORY_WORDS 1024
#define ONE_SHOT_US  2000ul
#define PERIOD_US    2000ul
#define TICKS_WANTED 5
#define TIMER_MAX_US 1000000
#define FOUR_GIB     0x100000000ul

static const char *test_ud(void)
{
	return trap_try(fault_ud, NULL) == VECTOR_UD ? NULL : "no #UD";
}

static const char *test_pf(void)
{
	if (trap_try(fault_pf, NULL) != VECTOR_PF)
		return "no #PF";
	if (trap_address() != FAULT_PF_ADDRESS)
		return "CR2 is wrong";
	/* Intel SDM vol. 3, 4.7: a write (2), page not present (1 is clear), from ring 0 (4 is clear) */
	return trap_error() == 2 ? NULL : "the error code is wrong";
}

static void write_code(void *arg)
{
	volatile uint8_t *code = arg;

	*code = *code;
}

static const char *test_protect(void)
{
	if (trap_try(write_code, (void *)(uintptr_t)test_pf) != VECTOR_PF)
		return "code can be written";
	return trap_error() == 3 ? NULL : "the error code is wrong"; /* a write, page present */
}

static const char *test_de(void)
{
	return trap_try(fault_de, NULL) == VECTOR_DE ? NULL : "no #DE";
}

static const char *test_gp(void)
{
	if (trap_try(fault_gp, NULL) != VECTOR_GP)
		return "no #GP";
	return trap_error() == 0x100 ? NULL : "the error code is wrong";
}

static volatile unsigned ticks;

static void count_tick(void *arg)
{
	(void)arg;
	ticks++;
}

/* Sleeps until that many ticks came, or for ever would be: the wait is bounded by the TSC. */
static bool wait_ticks(unsigned wanted)
{
	uint64_t start = rdtsc(), limit = clock_hz() / 1000000 * TIMER_MAX_US;

	while (ticks < wanted && rdtsc() - start < limit)
		cpu_pause();
	return ticks >= wanted;
}

static const char *test_oneshot(void)
{
	if (!lapic_present())
		return SKIP("no local APIC");
	if (lapic_timer_hz() == 0)
		return "the timer does not count";
	ticks = 0;
	trap_set_handler(VECTOR_TIMER, count_tick, NULL);
	uint64_t start = rdtsc();

	lapic_timer_start(ONE_SHOT_US, false);
	if (!wait_ticks(1))
		return "no interrupt within a second";
	uint64_t took = clock_ticks_to_ns(rdtsc() - start) / 1000;

	clock_delay(2 * ONE_SHOT_US);
	if (ticks != 1)
		return "more than one interrupt";
	return took >= ONE_SHOT_US - ONE_SHOT_US / 10 ? NULL : "the interrupt came early";
}

static const char *test_periodic(void)
{
	if (!lapic_present())
		return SKIP("no local APIC");
	ticks = 0;
	trap_set_handler(VECTOR_TIMER, count_tick, NULL);
	uint64_t start = rdtsc();

	lapic_timer_start(PERIOD_US, true);
	bool enough = wait_ticks(TICKS_WANTED);
	uint64_t took = clock_ticks_to_ns(rdtsc() - start) / 1000;

	lapic_timer_stop();
	if (!enough)
		return "fewer than 5 interrupts within a second";
	/* A late tick makes the next one early, so only the sum is bounded, and only from below. */
	return took >= (TICKS_WANTED - 1) * PERIOD_US ? NULL : "the interrupts came early";
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

static const char *test_hlt(void)
{
	if (!lapic_present())
		return SKIP("no local APIC");
	uint64_t start = rdtsc();

	clock_wait(never, NULL, PERIOD_US);
	uint64_t took = clock_ticks_to_ns(rdtsc() - start) / 1000;

	return took < TIMER_MAX_US ? NULL : "hlt slept on";
}

static const char *test_memory(void)
{
	static volatile uint64_t area[MEMORY_WORDS];

	for (uint64_t i = 0; i < MEMORY_WORDS; i++)
		area[i] = i * 0x0101010101010101u;
	for (uint64_t i = 0; i < MEMORY_WORDS; i++) {
		if (area[i] != i * 0x0101010101010101u)
			return "a word did not keep its value";
		area[i] = ~area[i];
	}
	for (uint64_t i = 0; i < MEMORY_WORDS; i++) {
		if (area[i] != ~(i * 0x0101010101010101u))
			return "a word did not keep its complement";
	}
	return NULL;
}

static const char *test_cpus_start(void)
{
	if (hw.cpus < 2)
		return SKIP("one CPU");
	return smp_wait() == hw.cpus ? NULL : "not all CPUs have started";
}

static const char *test_cpus_ping(void)
{
	if (smp_wait() < 2)
		return SKIP("one CPU");
	for (uint32_t id = 0; id < SMP_CPUS_MAX; id++) {
		uint64_t before = smp_cpus[id].pings;

		if (!smp_cpus[id].alive || id == smp_boot_id())
			continue;
		if (!smp_ping(id))
			return "a CPU does not answer an IPI within a second";
		if (smp_cpus[id].pings != before + 1)
			return "another CPU has answered";
	}
	return NULL;
}

static const char *test_cpus_count(void)
{
	unsigned cpus = smp_wait();

	if (cpus < 2)
		return SKIP("one CPU");
	return smp_count_all() == cpus - 1 ? NULL : "an increment was lost";
}

extern const char image_start[]; /* kernel.ld */

/* Writes one word and puts the old one back. */
static bool touch(uint64_t addr)
{
	volatile uint64_t *word = map_window(addr & ~7ul);
	uint64_t old = *word;
	bool good;

	*word = ~old;
	good = *word == ~old;
	*word = old;
	return good && *word == old;
}

/* First and last word of each RAM range that lies above or below 4 GiB; how many; -1: one is bad. */
static int touch_ranges(bool high)
{
	int touched = 0;

	for (unsigned i = 0; i < hw.memory_count; i++) {
		const struct hw_range *r = &hw.memory[i];

		if (r->type != HW_RAM || r->size < 8 || (r->base >= FOUR_GIB) != high)
			continue;
		/* Page 0 is not mapped, and our own code is read-only. */
		bool taken = r->base < 0x1000 || r->base == (uintptr_t)image_start;

		if ((!taken && !touch(r->base)) || !touch(r->base + r->size - 8))
			return -1;
		touched++;
	}
	return touched;
}

static const char *test_memory_ends(void)
{
	int touched = touch_ranges(false);

	if (touched == 0)
		return SKIP("nobody told us of any RAM");
	return touched > 0 ? NULL : "an end of RAM does not hold a value";
}

static const char *test_memory_high(void)
{
	int touched = touch_ranges(true);

	if (touched == 0)
		return SKIP("no RAM above 4 GiB");
	return touched > 0 ? NULL : "an end of RAM does not hold a value";
}

static const char *test_rtc(void)
{
	struct rtc_time t;

	if (hw_find(HW_RTC, 0) == NULL)
		return SKIP("no RTC");
	if (!rtc_read(&t))
		return hw.fdt_source == HW_MODULE_FDT ? "it does not answer" : SKIP("no RTC answers");
	if (t.year < 2020 || t.year > 2100 || t.month < 1 || t.month > 12 || t.day < 1 || t.day > 31 ||
		t.hour > 23 || t.minute > 59 || t.second > 60)
		return "the date is not plausible";
	return NULL;
}

const struct selftest selftests_machine[] = {
	{"exception-ud", test_ud},
	{"exception-pf", test_pf},
	{"exception-protect", test_protect},
	{"exception-de", test_de},
	{"exception-gp", test_gp},
	{"timer-oneshot", test_oneshot},
	{"timer-periodic", test_periodic},
	{"timer-hlt", test_hlt},
	{"cpus-start", test_cpus_start},
	{"cpus-ping", test_cpus_ping},
	{"cpus-count", test_cpus_count},
	{"serial-loopback", uart_loopback_data},
	{"serial-modem", uart_loopback_modem},
	{"serial-irq", uart_loopback_irq},
	{"memory", test_memory},
	{"memory-ends", test_memory_ends},
	{"memory-high", test_memory_high},
	{"rtc", test_rtc},
	{NULL, NULL},
};
