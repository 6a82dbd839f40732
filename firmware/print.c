#include "print.h"

#include "bios/layout.h"
#include "ports.h"

void print(const char *text)
{
	for (; *text; text++) {
		while (!(inb(COM1 + UART_LSR) & LSR_THRE))
			;
		outb(COM1 + UART_DATA, (uint8_t)*text);
	}
}

void fail(const char *text)
{
	print("latchkey: ");
	print(text);
	print("\r\n");
	outb(PANIC_PORT, PANICKED);
	for (;;)
		__asm__ volatile("cli; hlt");
}
