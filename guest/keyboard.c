#include "keyboard.h"

#include <stdbool.h>
#include <stddef.h>

#include "hw.h"
#include "ioapic.h"
#include "power.h"
#include "str.h"
#include "uart16550.h"
#include "x86.h"

/* IBM PS/2 Hardware Interface Technical Reference, "Keyboard Controller". */
#define DATA         0x60
#define COMMAND      0x64
#define OUTPUT_FULL  0x01
#define WRITE_CONFIG 0x60
#define CONFIG       0x65 /* interrupt, self-test passed, no mouse, scan code set 1 */

/* Scan code set 1; bit 7 is set when the key is let go. */
enum { KEY_CTRL = 0x1d, KEY_ALT = 0x38, KEY_DELETE = 0x53, RELEASED = 0x80 };

/* In an interrupt: the console's buffer may be in use, so the line goes straight to the port. */
static __attribute__((noreturn)) void press_button(void)
{
	static const char text[] = "lodger: power button\r\n";

	uart_write(text, sizeof(text) - 1);
	power_off();
}

static void take_keys(void *arg)
{
	static bool ctrl, alt;

	(void)arg;
	while ((inb(COMMAND) & OUTPUT_FULL) != 0) {
		uint8_t code = inb(DATA);
		bool down = (code & RELEASED) == 0;

		switch (code & ~RELEASED) {
		case KEY_CTRL:
			ctrl = down;
			break;
		case KEY_ALT:
			alt = down;
			break;
		case KEY_DELETE:
			if (down && ctrl && alt)
				press_button();
			break;
		}
	}
}

void keyboard_init(void)
{
	const struct hw_device *keyboard = hw_find(HW_I8042, 0);

	if (keyboard == NULL || strstr(hw.cmdline, "nobutton") != NULL)
		return;
	if (ioapic_route(keyboard, take_keys, NULL) != 0)
		return;
	outb(COMMAND, WRITE_CONFIG);
	outb(DATA, CONFIG);
	take_keys(NULL); /* what came before has had its edge */
}
