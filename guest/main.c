/* The boot order. boot.S calls main() in long mode, on a stack, with interrupts off. */
#include "clock.h"
#include "console.h"
#include "hw.h"
#include "keyboard.h"
#include "lapic.h"
#include "map.h"
#include "power.h"
#include "shell.h"
#include "smp.h"
#include "str.h"
#include "trap.h"
#include "uart16550.h"
#include "virtio_blk.h"
#include "x86.h"

#define RUN_OPTION "run="

/* Sent as it is, not through print(): the first byte leaves some 40 instructions from the entry. */
static const char banner[] = "lodger 0.1, the guest kernel of the lodge hypervisor\r\n";

__attribute__((noreturn)) void main(const void *start, uint32_t magic);

/* run= takes the rest of the line; but QEMU appends its virtio_mmio.device= options to that. */
static const char *run_list(void)
{
	static char list[2048];
	const char *run = strstr(hw.cmdline, RUN_OPTION);

	if (run == NULL || (run != hw.cmdline && run[-1] != ' '))
		return NULL;
	run += sizeof(RUN_OPTION) - 1;
	const char *end = strstr(run, " virtio_mmio.device=");
	size_t len = end != NULL ? (size_t)(end - run) : strlen(run);

	if (len >= sizeof(list))
		power_panic("run= is too long");
	memcpy(list, run, len);
	list[len] = '\0';
	return list;
}

void main(const void *start, uint32_t magic)
{
	uart_early_init(); // 8N1, FIFO on: COM1 is known without asking
	uart_write(banner, sizeof(banner) - 1);
	clock_banner_tsc = rdtsc();
	trap_init();               // from here on a fault is a report
	hw_discover(start, magic); // FDT, command line, start_info
	map_protect();             // no NULL, no writes to code
	clock_devices_tsc = rdtsc();
	lapic_init();      // end of interrupt, timer
	uart_init();       // serial input by interrupt
	keyboard_init();   // Ctrl-Alt-Del: the power button
	virtio_blk_init(); // disks
	smp_start();       // the other CPUs, which come up while we go on
	sti();             // let them all in

	clock_ready_tsc = rdtsc();
	const char *list = run_list();

	if (list != NULL)
		power_exit(shell_execute_list(list) == 0 ? 0 : 1);
	print("lodger: ready\n");
	shell_run();
}
