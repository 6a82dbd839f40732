/*
 * INT 10h: a text screen of 80 by 25 that is a terminal on COM1 (ECMA-48). What is printed by teletype goes there as
 * it is; cursor movements, colours and scrolling become sequences, and only once something is printed that needs
 * them. What lies on the screen is not kept: nothing can be read back from it, nor written into video memory.
 */
#include "bios/bios.h"
#include "bios/io.h"

#define COLUMNS   80
#define ROWS      25
#define MODE_TEXT 3

#define ATTRIBUTE_NORMAL 0x07 /* light grey on black: the terminal's own colours */
#define ATTRIBUTE_BRIGHT 0x08

#define MCR_LOOP   0x10
#define MCR_READY  0x0b /* DTR, RTS, OUT2 */
#define LCR_DLAB   0x80
#define LCR_8N1    0x03
#define FCR_ENABLE 0x01
#define ESC        0x1b

/* Bytes wait for the console as long as it takes, as any guest's do; a chip that is not there says 0xff. */
static void emit(uint8_t byte)
{
	while (!(io_read8(COM1 + UART_LSR) & LSR_THRE))
		;
	io_write8(COM1 + UART_DATA, byte);
}

static void emit_text(const char *text)
{
	while (*text)
		emit((uint8_t)*text++);
}

static void emit_number(unsigned value)
{
	if (value >= 10)
		emit_number(value / 10);
	emit((uint8_t)('0' + value % 10));
}

/* ESC [ first ; second final: without a second number if it is 0. */
static void emit_sequence(unsigned first, unsigned second, char final)
{
	emit(ESC);
	emit('[');
	emit_number(first);
	if (second) {
		emit(';');
		emit_number(second);
	}
	emit((uint8_t) final);
}

static uint8_t cursor_row(void)
{
	return memory_read8(BDA_CURSOR + 1);
}

static uint8_t cursor_column(void)
{
	return memory_read8(BDA_CURSOR);
}

/* Callers' values too: the screen has an end. */
static void set_cursor(unsigned row, unsigned column)
{
	memory_write8(BDA_CURSOR, (uint8_t)(column < COLUMNS ? column : COLUMNS - 1));
	memory_write8(BDA_CURSOR + 1, (uint8_t)(row < ROWS ? row : ROWS - 1));
}

static void move_terminal(struct screen *screen, uint8_t row, uint8_t column)
{
	if (!screen->lost && screen->row == row && screen->column == column)
		return;
	emit_sequence(row + 1u, column + 1u, 'H');
	screen->row = row;
	screen->column = column;
	screen->lost = false;
}

/* A PC's colours count blue as 1 and red as 4, a terminal's the other way round. */
static unsigned ansi_colour(unsigned pc)
{
	return (pc & 2) | (pc & 1) << 2 | (pc & 4) >> 2;
}

static void set_attribute(struct screen *screen, uint8_t attribute)
{
	if (screen->attribute == attribute)
		return;
	screen->attribute = attribute;
	emit_text("\x1b[0");
	if (attribute & ATTRIBUTE_BRIGHT)
		emit_text(";1");
	if ((attribute & 0x77) != ATTRIBUTE_NORMAL) {
		emit_text(";3");
		emit_number(ansi_colour(attribute & 7u));
		emit_text(";4");
		emit_number(ansi_colour(attribute >> 4 & 7u));
	}
	emit('m');
}

/* Code page 437 has pictures where ASCII has control characters, and frames (menus have them) and letters above it. */
static uint8_t printable(uint8_t character)
{
	if (character == 0xb3 || character == 0xba)
		return '|';
	if (character == 0xc4 || character == 0xcd)
		return '-';
	if (character >= 0xb3 && character <= 0xda)
		return '+';
	switch (character) {
	case 0x00:
		return ' ';
	case 0x10: /* triangles and arrows */
	case 0x1a:
		return '>';
	case 0x11:
	case 0x1b:
		return '<';
	case 0x18:
	case 0x1e:
		return '^';
	case 0x19:
	case 0x1f:
		return 'v';
	default:
		return character < ' ' || character >= 0x7f ? '?' : character;
	}
}

/* Prints where the cursor is, and leaves the cursor there. */
static void put(struct screen *screen, uint8_t character, uint8_t attribute)
{
	move_terminal(screen, cursor_row(), cursor_column());
	set_attribute(screen, attribute);
	emit(printable(character));
	screen->column++;
}

/* Down by one; the last row makes all others go up. */
static void line_feed(struct screen *screen)
{
	uint8_t row = cursor_row();

	move_terminal(screen, row, cursor_column());
	emit('\n');
	if (row + 1 < ROWS)
		set_cursor(row + 1u, cursor_column());
	screen->row = cursor_row();
}

static void carriage_return(struct screen *screen)
{
	/* In any column, and behind the last one, it does the same. */
	if (screen->lost || screen->row != cursor_row())
		move_terminal(screen, cursor_row(), 0);
	emit('\r');
	set_cursor(cursor_row(), 0);
	screen->column = 0;
	screen->lost = false;
}

static void teletype(struct screen *screen, uint8_t character, uint8_t attribute)
{
	switch (character) {
	case '\a':
		emit('\a');
		break;
	case '\b':
		if (cursor_column()) {
			move_terminal(screen, cursor_row(), cursor_column());
			emit('\b');
			set_cursor(cursor_row(), cursor_column() - 1u);
			screen->column = cursor_column();
		}
		break;
	case '\n':
		line_feed(screen);
		break;
	case '\r':
		carriage_return(screen);
		break;
	default:
		put(screen, character, attribute);
		if (cursor_column() + 1 < COLUMNS) {
			set_cursor(cursor_row(), cursor_column() + 1u);
			break;
		}
		carriage_return(screen);
		line_feed(screen);
	}
}

#define ERASE_MIN 8 /* shorter ones are printed: the sequence is as long */

/* AH=09h and 0Ah: CX times one character, beyond the line's end too; the cursor stays. */
static void put_many(struct screen *screen, const struct frame *frame, uint8_t attribute)
{
	uint8_t row = cursor_row(), column = cursor_column();
	unsigned at = row * COLUMNS + column, count = (uint16_t)frame->ecx, step;

	for (; count && at < ROWS * COLUMNS; count -= step, at += step) {
		set_cursor(at / COLUMNS, at % COLUMNS);
		step = COLUMNS - at % COLUMNS < count ? COLUMNS - at % COLUMNS : count;
		if (low8(frame->eax) != ' ' || step < ERASE_MIN)
			step = 1;
		if (step == 1) {
			put(screen, low8(frame->eax), attribute);
		} else {
			move_terminal(screen, cursor_row(), cursor_column());
			set_attribute(screen, attribute);
			emit_sequence(step, 0, 'X');
		}
	}
	set_cursor(row, column);
}

static void clear(struct screen *screen)
{
	set_attribute(screen, ATTRIBUTE_NORMAL);
	emit_text("\x1b[H\x1b[2J");
	set_cursor(0, 0);
	*screen = (struct screen){.attribute = ATTRIBUTE_NORMAL};
}

/* AH=06h and 07h: a window, CH:CL to DH:DL, goes up or down by AL lines, or wholly for 0; BH fills what is new. */
static void scroll(struct screen *screen, const struct frame *frame, bool up)
{
	unsigned top = high8(frame->ecx), left = low8(frame->ecx), bottom = high8(frame->edx);
	unsigned right = low8(frame->edx), lines = low8(frame->eax), row;

	if (bottom >= ROWS)
		bottom = ROWS - 1;
	if (right >= COLUMNS)
		right = COLUMNS - 1;
	if (top > bottom || left > right)
		return;
	set_attribute(screen, high8(frame->ebx));
	if (!lines && !top && !left && bottom == ROWS - 1 && right == COLUMNS - 1) {
		emit_text("\x1b[2J"); /* wherever the cursor is */
		return;
	}
	screen->lost = true;
	if (!lines || lines > bottom - top)
		lines = bottom - top + 1;
	else if (left || right + 1 < COLUMNS)
		return; /* a terminal moves whole lines only */
	if (lines <= bottom - top) {
		emit_sequence(top + 1, bottom + 1, 'r');
		emit_sequence(lines, 0, up ? 'S' : 'T');
		emit_text("\x1b[r");
		return;
	}
	for (row = top; row <= bottom; row++) {
		emit_sequence(row + 1, left + 1, 'H');
		emit_sequence(right - left + 1, 0, 'X');
	}
}

/* AH=13h: CX characters at ES:BP, from DH:DL on; AL: 1: the cursor follows, 2: each has its attribute. */
static void put_string(struct screen *screen, const struct frame *frame)
{
	uint32_t from = linear(frame->es, (uint16_t)frame->ebp), step = low8(frame->eax) & 2 ? 2 : 1;
	uint8_t row = cursor_row(), column = cursor_column();
	unsigned count = (uint16_t)frame->ecx;

	set_cursor(high8(frame->edx), low8(frame->edx));
	for (; count; count--, from += step) {
		teletype(screen, memory_read8(from), step == 2 ? memory_read8(from + 1) : low8(frame->ebx));
	}
	if (!(low8(frame->eax) & 1))
		set_cursor(row, column);
}

static void tell_cursor(struct frame *frame)
{
	set_low16(&frame->edx, memory_read16(BDA_CURSOR));
	set_low16(&frame->ecx, memory_read16(BDA_CURSOR_SHAPE));
}

enum verdict screen_service(struct bios *bios, struct frame *frame)
{
	struct screen *screen = &bios->screen;

	switch (high8(frame->eax)) {
	case 0x00:
		clear(screen);
		break;
	case 0x01:
		memory_write16(BDA_CURSOR_SHAPE, (uint16_t)frame->ecx);
		break;
	case 0x02:
		set_cursor(high8(frame->edx), low8(frame->edx));
		break;
	case 0x03:
		tell_cursor(frame);
		break;
	case 0x06:
	case 0x07:
		scroll(screen, frame, high8(frame->eax) == 0x06);
		break;
	case 0x08: /* what is there? A blank, for all that we know. */
		set_low16(&frame->eax, ATTRIBUTE_NORMAL << 8 | ' ');
		break;
	case 0x09:
		put_many(screen, frame, low8(frame->ebx));
		break;
	case 0x0a:
		put_many(screen, frame, ATTRIBUTE_NORMAL);
		break;
	case 0x0e:
		teletype(screen, low8(frame->eax), ATTRIBUTE_NORMAL);
		break;
	case 0x0f:
		set_low16(&frame->eax, COLUMNS << 8 | MODE_TEXT);
		set_high8(&frame->ebx, 0);
		break;
	case 0x13:
		put_string(screen, frame);
		break;
	default: /* no EGA, no VGA, no VESA: their functions leave the registers as they were */
		break;
	}
	return BIOS_RETURN;
}

void screen_print(struct bios *bios, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			teletype(&bios->screen, '\r', ATTRIBUTE_NORMAL);
		teletype(&bios->screen, (uint8_t)*text, ATTRIBUTE_NORMAL);
	}
}

void screen_print_hex(struct bios *bios, uint32_t value, unsigned digits)
{
	while (digits--)
		teletype(&bios->screen, (uint8_t) "0123456789abcdef"[value >> (4 * digits) & 15],
			ATTRIBUTE_NORMAL);
}

/*
 * The chip: 115200 baud, 8 bits, no parity; FIFOs on and no interrupts. What was typed by now is kept: to turn the FIFOs
 * on empties them, so until then a loop keeps the line's next byte away. The terminal's cursor begins a line.
 */
void screen_init(struct bios *bios)
{
	io_write8(COM1 + UART_MCR, MCR_LOOP);
	io_write8(COM1 + UART_IER, 0);
	io_write8(COM1 + UART_LCR, LCR_DLAB);
	io_write8(COM1 + UART_DATA, 1);
	io_write8(COM1 + UART_IER, 0);
	io_write8(COM1 + UART_LCR, LCR_8N1);
	keyboard_poll(bios);
	io_write8(COM1 + UART_FCR, FCR_ENABLE);
	io_write8(COM1 + UART_MCR, MCR_READY);
	bios->screen = (struct screen){.attribute = ATTRIBUTE_NORMAL};
	memory_write8(BDA_VIDEO_MODE, MODE_TEXT);
	memory_write16(BDA_COLUMNS, COLUMNS);
	memory_write16(BDA_PAGE_SIZE, 0x1000);
	memory_write16(BDA_CURSOR_SHAPE, 0x0607);
	memory_write16(BDA_CRTC, 0x3d4);
	memory_write8(BDA_LAST_ROW, ROWS - 1);
	memory_write8(BDA_CHAR_HEIGHT, 16);
}
