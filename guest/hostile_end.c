/* All ways to end the run, while 16 reads are in flight: the test knows the status of each. */
#include <stddef.h>

#include "console.h"
#include "hostile.h"
#include "hostile_dma.h"
#include "hostile_rig.h"
#include "power.h"
#include "x86.h"

#define IN_FLIGHT   16u
#define HUGE_PIECES 254u /* and the header, and the status */

extern const char idt_pointer[]; /* boot.S */
extern uint64_t boot_pml4[];

static void launch(void)
{
	console_flush();
	rig_start();
	rig_chain(0, BLK_T_IN, 0, rig_data, RIG_DATA);
	for (unsigned i = 0; i < IN_FLIGHT; i++)
		rig_offer(0);
	rig_kick();
}

/* Where the next exception's table is looked for, whatever there is by now. */
static uint8_t *idt(void)
{
	return *(uint8_t *const *)(const void *)(idt_pointer + 2);
}

static const char *exit8(uint64_t rounds)
{
	(void)rounds;
	launch();
	outb(0xf5, 1); /* not the port */
	outb(0xf4, 7);
	return NULL;
}

static const char *exit16(uint64_t rounds)
{
	(void)rounds;
	launch();
	outw(0xf3, 0x0101); /* begins before the port */
	outw(0xf4, 0x0108);
	return NULL;
}

static const char *exit32(uint64_t rounds)
{
	(void)rounds;
	launch();
	outl(0xf1, 0x01010101);
	outl(0xf4, 0xffffffff);
	return NULL;
}

static const char *exit_zero(uint64_t rounds)
{
	(void)rounds;
	launch();
	outl(0xf4, 0);
	return NULL;
}

static const char *reset_cf9(uint64_t rounds)
{
	(void)rounds;
	launch();
	outl(0xcf9, 0x06060606); /* of no width that it has */
	outb(0xcf9, 0xff);
	return NULL;
}

static const char *reset_pulse(uint64_t rounds)
{
	(void)rounds;
	launch();
	outb(0x64, 0xff); /* pulses nothing */
	outb(0x64, 0xf0); /* everything */
	return NULL;
}

static const char *reset_output_port(uint64_t rounds)
{
	(void)rounds;
	launch();
	outb(0x64, 0xd1);
	outb(0x60, 0xfe);
	return NULL;
}

static const char *sleep_s5(uint64_t rounds)
{
	(void)rounds;
	launch();
	outb(0x600, 0xff); /* no state that there is */
	outb(0x600, 0xf4);
	return NULL;
}

static const char *bochs(uint64_t rounds)
{
	static const char words[] = "ShutShutdoShutdown";

	(void)rounds;
	launch();
	for (const char *c = words; *c != '\0'; c++)
		outb(0x8900, (uint8_t)*c);
	return NULL;
}

static const char *panicked(uint64_t rounds)
{
	(void)rounds;
	launch();
	outb(0x505, 0xfe); /* no event that was offered */
	outb(0x505, 0xff);
	return NULL;
}

static const char *triple_fault(uint64_t rounds)
{
	(void)rounds;
	launch();
	power_reset(RESET_TRIPLE);
}

/* The gates are ones, and then there is an exception. */
static const char *dma_idt(uint64_t rounds)
{
	const char *why = dma_prepare_ones();

	(void)rounds;
	if (why != NULL)
		return why;
	cli();
	dma_launch(idt());
	while (*(volatile uint64_t *)(idt() + 0xf0) != UINT64_MAX)
		cpu_pause();
	__asm__ volatile("ud2");
	return NULL;
}

static const char *dma_page_tables(uint64_t rounds)
{
	const char *why = dma_prepare_ones();

	(void)rounds;
	if (why != NULL)
		return why;
	cli();
	dma_launch(boot_pml4);
	for (;;) {
		write_cr3(read_cr3());
		cpu_pause();
	}
}

/*
 * A ring of reads, each of so many MiB: up to 4 GiB are a chain that is right, as it may name the same memory again and
 * again. Nobody waits until they are done.
 */
static const char *huge_reads(uint64_t rounds)
{
	uint32_t piece = (uint32_t)((rounds << 20) / HUGE_PIECES & ~511ul);

	console_flush();
	rig_start_with(RIG_FEATURES, HUGE_PIECES + 2);
	rig_chain(0, BLK_T_IN, 0, NULL, 0);
	for (unsigned i = 1; i <= HUGE_PIECES; i++)
		rig_desc(&rig.desc[i], rig_low_end() / 2, piece, DESC_NEXT | DESC_WRITE, i + 1);
	rig_desc(&rig.desc[HUGE_PIECES + 1], (uintptr_t)&rig_status, 1, DESC_WRITE, 0);
	for (unsigned i = 0; i < rig.size; i++)
		rig_offer(0);
	rig_kick();
	outb(0xf4, 8);
	return NULL;
}

static const char *exec_hole(uint64_t rounds)
{
	void (*nowhere)(void) = (void (*)(void))(uintptr_t)0xd1000000;

	(void)rounds;
	launch();
	nowhere();
	return NULL;
}

const struct attack attacks_end[] = {
	{.name = "end-exit8", .run = exit8, .ends = true, .what = "debug exit, 8 bits: status 7"},
	{.name = "end-exit16", .run = exit16, .ends = true, .what = "debug exit, 16 bits: 99"},
	{.name = "end-exit32", .run = exit32, .ends = true, .what = "debug exit of 2^32 - 1: 99"},
	{.name = "end-exit-zero", .run = exit_zero, .ends = true, .what = "debug exit of 0: 0"},
	{.name = "end-cf9", .run = reset_cf9, .ends = true, .what = "reset control of all ones: 110"},
	{.name = "end-pulse", .run = reset_pulse, .ends = true, .what = "the 8042 pulses all lines: 110"},
	{.name = "end-output-port",
		.run = reset_output_port,
		.ends = true,
		.what = "the 8042's output port: 110"},
	{.name = "end-sleep", .run = sleep_s5, .ends = true, .what = "ACPI's S5 with all other bits: 0"},
	{.name = "end-bochs", .run = bochs, .ends = true, .what = "Shutdown at Bochs's port, stammered: 0"},
	{.name = "end-panic", .run = panicked, .ends = true, .what = "pvpanic of all ones: 113"},
	{.name = "end-triple", .run = triple_fault, .ends = true, .what = "an exception and no IDT: 111"},
	{.name = "end-dma-idt", .run = dma_idt, .ends = true, .what = "a read lands on the IDT: 111"},
	{.name = "end-dma-page-tables",
		.run = dma_page_tables,
		.ends = true,
		.what = "a read lands on the page tables: 111"},
	{.name = "end-huge-reads",
		.run = huge_reads,
		.rounds = 4000,
		.ends = true,
		.what = "debug exit behind 256 reads of so many MiB: 8"},
	{.name = "end-exec-hole", .run = exec_hole, .ends = true, .what = "code where no memory is: 112"},
	{.name = NULL},
};
