#include "clock.h"

#include <stddef.h>

#include "lapic.h"
#include "rtc146818.h"
#include "trap.h"
#include "x86.h"

#define TICK_US   10000
#define PIT_HZ    1193182u
#define PIT_TICKS 11932 /* 10 ms */
#define PIT_POLLS 100000
#define PIT_DEAD  20

/* KVM's msr.rst: struct pvclock_vcpu_time_info. */
struct pvclock {
	uint32_t version;
	uint32_t pad0;
	uint64_t tsc_timestamp;
	uint64_t system_time;
	uint32_t tsc_to_system_mul;
	int8_t tsc_shift;
	uint8_t flags;
	uint8_t pad[2];
} __attribute__((aligned(32)));

static uint64_t hz;
static const char *source = "none";
uint64_t clock_banner_tsc, clock_devices_tsc, clock_ready_tsc;
static volatile struct pvclock pvclock;

static uint64_t hz_from_cpuid(void)
{
	if (cpuid(0).eax >= 0x15) {
		struct cpuid_regs r = cpuid(0x15); /* Intel SDM vol. 2, CPUID: TSC/crystal ratio */

		source = "CPUID 0x15";
		if (r.eax != 0 && r.ebx != 0 && r.ecx != 0)
			return (uint64_t)r.ecx * r.ebx / r.eax;
		if (cpuid(0).eax >= 0x16 && r.eax != 0 && r.ebx != 0) {
			source = "CPUID 0x16";
			if ((cpuid(0x16).eax & 0xffff) != 0)
				return (cpuid(0x16).eax & 0xffff) * 1000000ul;
		}
	}
	if ((cpuid(1).ecx & 1u << 31) == 0 || cpuid(0x40000000).eax < 0x40000010)
		return 0;
	source = "CPUID 0x40000010";
	return cpuid(0x40000010).eax * 1000ul; /* kHz, VMware's leaf */
}

static bool is_kvm(void)
{
	struct cpuid_regs r;

	if ((cpuid(1).ecx & 1u << 31) == 0)
		return false;
	r = cpuid(0x40000000);
	return r.ebx == 0x4b4d564b && r.ecx == 0x564b4d56 && r.edx == 0x4d; /* "KVMKVMKVM" */
}

static void pvclock_enable(void *arg)
{
	(void)arg;
	wrmsr(MSR_KVM_SYSTEM_TIME, (uintptr_t)&pvclock | 1);
}

/* ns = (ticks << shift) * mul / 2^32 gives the rate without any waiting. */
static uint64_t hz_from_pvclock(void)
{
	if (!is_kvm() || (cpuid(0x40000001).eax & 1u << 3) == 0)
		return 0;
	if (trap_try(pvclock_enable, NULL) >= 0)
		return 0;
	uint64_t mul = pvclock.tsc_to_system_mul;
	int shift = pvclock.tsc_shift;

	wrmsr(MSR_KVM_SYSTEM_TIME, 0);
	if (mul == 0 || shift < -31 || shift > 31)
		return 0;
	source = "KVM clock";
	uint64_t rate = (1000000000ul << 32) / mul;
	return shift < 0 ? rate << -shift : rate >> shift;
}

static uint16_t pit_count(void)
{
	outb(0x43, 0x00); /* latch channel 0 */
	uint8_t low = inb(0x40);

	return (uint16_t)(low | inb(0x40) << 8);
}

/*
 * Channel 0 counts down from 65535 once (Intel 8254 data sheet, mode 0). Nobody takes its
 * interrupt; and unlike channel 2 it needs no port 0x61, which QEMU's microvm has not.
 */
static uint64_t hz_from_pit(void)
{
	uint16_t first, now;

	outb(0x43, 0x30); /* channel 0, both bytes, mode 0 */
	outb(0x40, 0xff);
	outb(0x40, 0xff);
	uint64_t start = rdtsc();

	first = now = pit_count();
	for (int polls = 0; first - now < PIT_TICKS; polls++) {
		if (polls == PIT_POLLS || now > first)
			return 0;
		now = pit_count();
		/* An absent one reads as all ones and never moves: do not wait for it. */
		if (polls == PIT_DEAD && now == first)
			return 0;
	}
	source = "PIT";
	return (rdtsc() - start) * PIT_HZ / (uint64_t)(first - now);
}

uint64_t clock_hz(void)
{
	if (hz != 0)
		return hz;
	hz = hz_from_cpuid();
	if (hz == 0)
		hz = hz_from_pvclock();
	if (hz == 0)
		hz = hz_from_pit();
	if (hz == 0) {
		hz = rtc_measure_tsc();
		source = "RTC";
	}
	if (hz == 0) {
		hz = 2000000000;
		source = "a guess";
	}
	return hz;
}

const char *clock_source(void)
{
	clock_hz();
	return source;
}

uint64_t clock_ticks_to_ns(uint64_t ticks)
{
	uint64_t khz = clock_hz() / 1000;

	/* Split, so that the product does not overflow for long times. */
	return ticks / khz * 1000000 + ticks % khz * 1000000 / khz;
}

void clock_delay(uint64_t us)
{
	uint64_t ticks = us * (clock_hz() / 1000) / 1000;
	uint64_t start = rdtsc();

	while (rdtsc() - start < ticks)
		cpu_pause();
}

static void wake_up(void *arg)
{
	(void)arg; /* leaving hlt is all that is wanted */
}

bool clock_wait(bool (*done)(void *), void *arg, uint64_t us)
{
	uint64_t ticks = us * (clock_hz() / 1000) / 1000;
	uint64_t start = rdtsc();
	uint64_t flags;
	bool result;

	if (done(arg))
		return true;
	trap_set_handler(VECTOR_TIMER, wake_up, NULL);
	/* Ticks, not one shot: an interrupt that a broken device never sends then costs 10 ms only. */
	lapic_timer_start(us < TICK_US ? us : TICK_US, true);
	flags = irq_save();
	while (!(result = done(arg)) && rdtsc() - start < ticks) {
		if (lapic_present()) {
			sti_hlt_cli();
		} else {
			sti();
			cpu_pause();
			cli();
		}
	}
	irq_restore(flags);
	lapic_timer_stop();
	return result;
}
