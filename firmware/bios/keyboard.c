/*
 * INT 16h: keys from the terminal on COM1. Its bytes and escape sequences (ECMA-48, and xterm's function keys) become
 * what a PC's keyboard would have given: a scan code and a character. They are looked for when somebody asks, by
 * polling: so a loader that drives the serial port itself finds all bytes there.
 */
#include "bios/bios.h"
#include "bios/io.h"

#define IER_DATA    0x01
#define LSR_NOTHING 0xff /* no chip is there */

#define ESC 0x1b
#define DEL 0x7f

#define KEY(scan, character) ((uint16_t)((scan) << 8 | (character)))
#define KEY_ESCAPE           KEY(0x01, ESC)
#define KEY_BACKSPACE        KEY(0x0e, '\b')
#define KEY_TAB              KEY(0x0f, '\t')
#define KEY_RETURN           KEY(0x1c, '\r')

/* A key that has no character: a sequence's, known to AH=10h by 0xe0 where the old keyboard lacked it. */
#define EXTENDED 0xe0

/* ESC alone is a key, once so many ticks or polls have passed without what makes it a sequence. */
#define ESCAPE_TICKS 3
#define ESCAPE_POLLS 2000

/* A US keyboard's keys in rows, from a scan code on; and the same with shift. */
static const struct {
	uint8_t scan;
	const char *plain, *shifted;
} rows[] = {
	{0x02, "1234567890-=", "!@#$%^&*()_+"},
	{0x10, "qwertyuiop[]", "QWERTYUIOP{}"},
	{0x1e, "asdfghjkl;'`", "ASDFGHJKL:\"~"},
	{0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?"},
	{0x39, " ", " "},
};

/* What follows ESC. */
static const struct {
	char sequence[6];
	uint16_t key;
} sequences[] = {
	{"[A", KEY(0x48, EXTENDED)},
	{"[B", KEY(0x50, EXTENDED)},
	{"[C", KEY(0x4d, EXTENDED)},
	{"[D", KEY(0x4b, EXTENDED)},
	{"OA", KEY(0x48, EXTENDED)},
	{"OB", KEY(0x50, EXTENDED)},
	{"OC", KEY(0x4d, EXTENDED)},
	{"OD", KEY(0x4b, EXTENDED)},
	{"[H", KEY(0x47, EXTENDED)},
	{"[F", KEY(0x4f, EXTENDED)},
	{"OH", KEY(0x47, EXTENDED)},
	{"OF", KEY(0x4f, EXTENDED)},
	{"[1~", KEY(0x47, EXTENDED)},
	{"[2~", KEY(0x52, EXTENDED)},
	{"[3~", KEY(0x53, EXTENDED)},
	{"[4~", KEY(0x4f, EXTENDED)},
	{"[5~", KEY(0x49, EXTENDED)},
	{"[6~", KEY(0x51, EXTENDED)},
	{"OP", KEY(0x3b, 0)},
	{"OQ", KEY(0x3c, 0)},
	{"OR", KEY(0x3d, 0)},
	{"OS", KEY(0x3e, 0)},
	{"[11~", KEY(0x3b, 0)},
	{"[12~", KEY(0x3c, 0)},
	{"[13~", KEY(0x3d, 0)},
	{"[14~", KEY(0x3e, 0)},
	{"[15~", KEY(0x3f, 0)},
	{"[17~", KEY(0x40, 0)},
	{"[18~", KEY(0x41, 0)},
	{"[19~", KEY(0x42, 0)},
	{"[20~", KEY(0x43, 0)},
	{"[21~", KEY(0x44, 0)},
	{"[23~", KEY(0x85, 0)},
	{"[24~", KEY(0x86, 0)},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The ring in the BIOS data area, which programs know: empty where head and tail meet. */
static uint16_t next_place(uint16_t place)
{
	uint16_t next = (uint16_t)(place + 2);

	return next >= BDA_KEYS_END - BDA ? BDA_KEYS - BDA : next;
}

/* A place in it; one that a program spoilt counts as its begin. */
static uint16_t place_at(uint32_t pointer)
{
	uint16_t place = memory_read16(pointer);

	return place >= BDA_KEYS - BDA && place < BDA_KEYS_END - BDA && !(place & 1) ? place : BDA_KEYS - BDA;
}

static bool put_key(uint16_t key)
{
	uint16_t tail = place_at(BDA_KEY_TAIL);

	if (next_place(tail) == place_at(BDA_KEY_HEAD))
		return false;
	memory_write16((uint32_t)BDA + tail, key);
	memory_write16(BDA_KEY_TAIL, next_place(tail));
	return true;
}

static bool has_room(void)
{
	return next_place(place_at(BDA_KEY_TAIL)) != place_at(BDA_KEY_HEAD);
}

static bool peek_key(uint16_t *ret_key)
{
	uint16_t head = place_at(BDA_KEY_HEAD);

	if (head == place_at(BDA_KEY_TAIL))
		return false;
	*ret_key = memory_read16((uint32_t)BDA + head);
	return true;
}

static uint8_t scan_of(char character)
{
	unsigned row, i;

	for (row = 0; row < COUNT(rows); row++) {
		for (i = 0; rows[row].plain[i]; i++) {
			if (rows[row].plain[i] == character || rows[row].shifted[i] == character)
				return (uint8_t)(rows[row].scan + i);
		}
	}
	return 0; /* as if it came from Alt and the numeric keypad */
}

static uint16_t key_of(uint8_t byte)
{
	switch (byte) {
	case '\r':
	case '\n':
		return KEY_RETURN;
	case '\b':
	case DEL: /* what terminals have on the key that deletes to the left */
		return KEY_BACKSPACE;
	case '\t':
		return KEY_TAB;
	case ESC:
		return KEY_ESCAPE;
	default:
		/* A control character is a letter's, with Ctrl. */
		return KEY(scan_of((char)(byte < ' ' ? byte | 0x60 : byte)), byte);
	}
}

static void give_up_sequence(struct keyboard *keyboard)
{
	unsigned i;

	/* Its bytes were keys after all. */
	for (i = 0; i < keyboard->length; i++)
		put_key(key_of(keyboard->sequence[i]));
	keyboard->length = 0;
}

/* Whether bytes, from behind ESC on, are a sequence, and all of it. */
static bool match(const struct keyboard *keyboard, bool *ret_whole, uint16_t *ret_key)
{
	unsigned i, at, length = keyboard->length - 1u;

	for (i = 0; i < COUNT(sequences); i++) {
		for (at = 0; at < length && (uint8_t)sequences[i].sequence[at] == keyboard->sequence[at + 1];
			at++)
			;
		if (at < length)
			continue;
		*ret_whole = !sequences[i].sequence[at];
		*ret_key = sequences[i].key;
		return true;
	}
	return false;
}

static void take_byte(struct keyboard *keyboard, uint8_t byte)
{
	bool after_return = keyboard->after_return, whole;
	uint16_t key;

	keyboard->after_return = byte == '\r';
	if (!keyboard->length && byte != ESC) {
		if (byte != '\n' || !after_return)
			put_key(key_of(byte));
		return;
	}
	keyboard->sequence[keyboard->length++] = byte;
	keyboard->since = memory_read32(BDA_TICKS);
	keyboard->polls = 0;
	if (!match(keyboard, &whole, &key)) {
		give_up_sequence(keyboard);
	} else if (whole) {
		keyboard->length = 0;
		put_key(key);
	}
}

/* Takes what the terminal sent, as far as there is room for keys: a sequence may turn out to be some. */
void keyboard_poll(struct bios *bios)
{
	struct keyboard *keyboard = &bios->keyboard;
	uint8_t lsr;

	while (has_room() && (lsr = io_read8(COM1 + UART_LSR)) & LSR_DATA && lsr != LSR_NOTHING)
		take_byte(keyboard, io_read8(COM1 + UART_DATA));
	if (!keyboard->length)
		return;
	keyboard->polls++;
	if (memory_read32(BDA_TICKS) - keyboard->since >= ESCAPE_TICKS || keyboard->polls >= ESCAPE_POLLS)
		give_up_sequence(keyboard);
}

/* AH=00h and 01h are from before there were such keys, and get 0 for their characters. */
static void tell_key(struct frame *frame, uint16_t key, bool extended)
{
	if (!extended && (uint8_t)key == EXTENDED && key >> 8)
		key &= 0xff00;
	set_low16(&frame->eax, key);
}

static enum verdict take_key(struct bios *bios, struct frame *frame, bool extended)
{
	struct keyboard *keyboard = &bios->keyboard;
	uint16_t key;

	if (keyboard->waiting)
		io_write8(COM1 + UART_IER, 0);
	keyboard_poll(bios);
	keyboard->waiting = !peek_key(&key);
	if (keyboard->waiting) {
		io_write8(COM1 + UART_IER, IER_DATA); /* a byte ends the wait, as does a tick */
		return BIOS_WAIT;
	}
	memory_write16(BDA_KEY_HEAD, next_place(place_at(BDA_KEY_HEAD)));
	tell_key(frame, key, extended);
	return BIOS_RETURN;
}

enum verdict keyboard_service(struct bios *bios, struct frame *frame)
{
	uint8_t function = high8(frame->eax);
	uint16_t key = 0;

	switch (function) {
	case 0x00:
	case 0x10:
		return take_key(bios, frame, function == 0x10);
	case 0x01:
	case 0x11:
		keyboard_poll(bios);
		set_flag(frame, FLAG_ZERO, !peek_key(&key));
		if (!(frame->flags & FLAG_ZERO))
			tell_key(frame, key, function == 0x11);
		return BIOS_RETURN;
	case 0x02:
		set_low8(&frame->eax, memory_read8(BDA_SHIFT_FLAGS));
		return BIOS_RETURN;
	case 0x12:
		set_low16(&frame->eax, memory_read16(BDA_SHIFT_FLAGS));
		return BIOS_RETURN;
	case 0x05:
		set_low8(&frame->eax, put_key((uint16_t)frame->ecx) ? 0 : 1);
		return BIOS_RETURN;
	default: /* how fast keys repeat, and the like */
		return BIOS_RETURN;
	}
}

void keyboard_init(struct bios *bios)
{
	bios->keyboard = (struct keyboard){0};
	memory_write16(BDA_KEY_HEAD, BDA_KEYS - BDA);
	memory_write16(BDA_KEY_TAIL, BDA_KEYS - BDA);
	memory_write16(BDA_KEY_START, BDA_KEYS - BDA);
	memory_write16(BDA_KEY_END, BDA_KEYS_END - BDA);
	memory_write8(BDA_KEYBOARD_TYPE, 0x10); /* 101 keys */
}
