#include "print.h"

#include "ports.h"

#define COM1        0x3f8
#define LINE_STATUS (COM1 + 5)
#define THR_EMPTY   0x20
#define PVPANIC     0x505
#define PANICKED    0x01

void print(const char *text)
{
	for (; *text; text++) {
		while (!(inb(LINE_STATUS) & THR_EMPTY))
			;
		outb(COM1, (uint8_t)*text);
	}
}

void fail(const char *text)
{
	print("latchkey: ");
	print(text);
	print("\r\n");
	outb(PVPANIC, PANICKED);
	for (;;)
		__asm__ volatile("cli; hlt");
}
