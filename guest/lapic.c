#include "lapic.h"

#include "clock.h"
#include "hw.h"
#include "trap.h"
#include "x86.h"

enum {
	REG_ID = 0x20,
	REG_TPR = 0x80,
	REG_EOI = 0xb0,
	REG_SPURIOUS = 0xf0,
	REG_ICR_LOW = 0x300,
	REG_ICR_HIGH = 0x310,
	REG_LVT_TIMER = 0x320,
	REG_LVT_LINT0 = 0x350,
	REG_TIMER_INITIAL = 0x380,
	REG_TIMER_CURRENT = 0x390,
	REG_TIMER_DIVIDE = 0x3e0,
};

#define SPURIOUS_ENABLE 0x100u
#define ICR_INIT        0x500u
#define ICR_SIPI        0x600u
#define ICR_PENDING     0x1000u
#define ICR_ASSERT      0x4000u
#define ICR_POLLS       1000
#define LVT_MASKED      0x10000u
#define LVT_PERIODIC    0x20000u
#define DIVIDE_BY_1     0xbu
#define CALIBRATE_US    1000u

static uint64_t base;
static uint64_t timer_hz;

void lapic_init(void)
{
	const struct hw_device *lapic = hw_find(HW_LAPIC, 0);

	if (lapic == NULL)
		return;
	base = lapic->base;
	if (hw.fdt_source != HW_MODULE_FDT) {
		/* A BIOS was here before us: its 8259s may have an interrupt pending. */
		outb(0x21, 0xff);
		outb(0xa1, 0xff);
	}
	lapic_enable();
}

void lapic_enable(void)
{
	mmio_write32(base + REG_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
	/* After reset LINT0 lets the 8259's interrupts in, at vectors nobody has set. */
	mmio_write32(base + REG_LVT_LINT0, LVT_MASKED);
}

static void send(uint32_t id, uint32_t command)
{
	uint64_t flags = irq_save(); /* a handler that sends too must not come between the two writes */

	mmio_write32(base + REG_ICR_HIGH, id << 24);
	mmio_write32(base + REG_ICR_LOW, command | ICR_ASSERT);
	for (int polls = 0; polls < ICR_POLLS && (mmio_read32(base + REG_ICR_LOW) & ICR_PENDING) != 0;
		polls++)
		cpu_pause();
	irq_restore(flags);
}

void lapic_send_ipi(uint32_t id, unsigned vector)
{
	send(id, vector);
}

void lapic_send_init(uint32_t id)
{
	send(id, ICR_INIT);
}

void lapic_send_sipi(uint32_t id, unsigned page)
{
	send(id, ICR_SIPI | page);
}

bool lapic_present(void)
{
	return base != 0;
}

uint32_t lapic_id(void)
{
	return base == 0 ? 0 : mmio_read32(base + REG_ID) >> 24;
}

void lapic_eoi(void)
{
	mmio_write32(base + REG_EOI, 0);
}

uint64_t lapic_timer_hz(void)
{
	if (timer_hz != 0 || base == 0)
		return timer_hz;
	mmio_write32(base + REG_TIMER_DIVIDE, DIVIDE_BY_1);
	mmio_write32(base + REG_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	mmio_write32(base + REG_TIMER_INITIAL, UINT32_MAX);
	uint64_t start = rdtsc();
	uint32_t count = mmio_read32(base + REG_TIMER_CURRENT);

	clock_delay(CALIBRATE_US);
	uint64_t tsc = rdtsc() - start;

	count -= mmio_read32(base + REG_TIMER_CURRENT);
	mmio_write32(base + REG_TIMER_INITIAL, 0);
	timer_hz = (uint64_t)count * clock_hz() / tsc;
	return timer_hz;
}

void lapic_timer_start(uint64_t us, bool periodic)
{
	uint64_t ticks = us * (lapic_timer_hz() / 1000) / 1000;

	if (base == 0)
		return;
	if (ticks > UINT32_MAX)
		ticks = UINT32_MAX;
	if (ticks == 0 && us != 0)
		ticks = 1;
	mmio_write32(base + REG_LVT_TIMER, (periodic ? LVT_PERIODIC : 0) | VECTOR_TIMER);
	mmio_write32(base + REG_TIMER_INITIAL, (uint32_t)ticks);
}

void lapic_timer_stop(void)
{
	lapic_timer_start(0, false);
}
