#include "power.h"

#include <stddef.h>

#include "console.h"
#include "hw.h"
#include "x86.h"

#define I8042_COMMAND    0x64
#define I8042_PULSE      0xfe /* pulses the output port's bit 0: the CPU's reset line */
#define RESET_PORT       0xcf9
#define RESET_FULL       0x06
#define SLEEP_S5         0x34 /* SLP_EN, and SLP_TYP 5 in bits 2..4 (ACPI 6.4, 4.8.3.7) */
#define PVPANIC_PORT     0x505
#define PVPANIC_PANICKED 0x01

static __attribute__((noreturn)) void halt(void)
{
	for (;;) {
		cli();
		__asm__ volatile("hlt");
	}
}

static __attribute__((noreturn)) void triple_fault(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none = {0, 0};

	console_flush();
	__asm__ volatile("lidt %0; ud2" : : "m"(none));
	halt();
}

void power_reset(enum power_reset how)
{
	const struct hw_device *control = hw_find(HW_RESET_CONTROL, 0);

	console_flush();
	if (how == RESET_ANY || how == RESET_I8042)
		outb(I8042_COMMAND, I8042_PULSE);
	if (how == RESET_ANY || how == RESET_CF9)
		outb(control == NULL ? RESET_PORT : (uint16_t)control->base, RESET_FULL);
	if (how != RESET_ANY && how != RESET_TRIPLE) {
		print("lodger: the machine does not reset this way\n");
		halt();
	}
	triple_fault();
}

void power_off(void)
{
	const struct hw_device *sleep = hw_find(HW_ACPI_SLEEP, 0);

	console_flush();
	if (sleep != NULL)
		outb((uint16_t)sleep->base, SLEEP_S5);
	print("lodger: this machine has no power switch that I know: reset\n");
	power_reset(RESET_ANY);
}

void power_exit(uint32_t code)
{
	const struct hw_device *port = hw_find(HW_DEBUG_EXIT, 0);

	console_flush();
	if (port != NULL)
		outl((uint16_t)port->base, code);
	power_off();
}

void power_panic(const char *why)
{
	const struct hw_device *pvpanic = hw_find(HW_PVPANIC, 0);
	const struct hw_device *port = hw_find(HW_DEBUG_EXIT, 0);

	cli();
	print("lodger: panic: %s\n", why);
	if (pvpanic != NULL)
		outb((uint16_t)pvpanic->base, PVPANIC_PANICKED);
	else if (hw.fdt_source != HW_MODULE_FDT && inb(PVPANIC_PORT) != 0xff)
		outb(PVPANIC_PORT, PVPANIC_PANICKED); /* QEMU's FDT does not tell of it */
	if (port != NULL)
		outl((uint16_t)port->base, 1);
	halt();
}
