/* latchkey's INT 16h and 10h: a terminal's bytes become keys, and a PC's screen becomes a terminal's bytes. */
#include "suites.h"

#include <string.h>

#include "bios_rig.h"
#include "util/bytes.h"

#define NO_KEY 0xdead

static bool no_key(void)
{
	return rig.frame.flags & FLAG_ZERO;
}

/* AH=00h or 10h. */
static uint16_t take_key(uint16_t ax)
{
	rig.frame.eax = ax;
	return keyboard_service(&rig.bios, &rig.frame) == BIOS_RETURN ? (uint16_t)rig.frame.eax : NO_KEY;
}

/* AH=01h or 11h. */
static uint16_t peek_key(uint16_t ax)
{
	rig.frame.eax = ax;
	ck_assert_int_eq(keyboard_service(&rig.bios, &rig.frame), BIOS_RETURN);
	return no_key() ? NO_KEY : (uint16_t)rig.frame.eax;
}

static const struct {
	const char *bytes;
	uint16_t key, extended;
} keys[] = {
	{"a", 0x1e61, 0x1e61},
	{"A", 0x1e41, 0x1e41},
	{"1", 0x0231, 0x0231},
	{"~", 0x297e, 0x297e},
	{" ", 0x3920, 0x3920},
	{"/", 0x352f, 0x352f},
	{"\r", 0x1c0d, 0x1c0d},
	{"\n", 0x1c0d, 0x1c0d},
	{"\b", 0x0e08, 0x0e08},
	{"\x7f", 0x0e08, 0x0e08},
	{"\t", 0x0f09, 0x0f09},
	{"\x03", 0x2e03, 0x2e03}, /* Ctrl-C */
	{"\xe0", 0x00e0, 0x00e0}, /* a character that looks like a mark */
	{"\x1b[A", 0x4800, 0x48e0},
	{"\x1b[B", 0x5000, 0x50e0},
	{"\x1bOC", 0x4d00, 0x4de0},
	{"\x1b[D", 0x4b00, 0x4be0},
	{"\x1b[H", 0x4700, 0x47e0},
	{"\x1b[4~", 0x4f00, 0x4fe0},
	{"\x1b[3~", 0x5300, 0x53e0},
	{"\x1b[5~", 0x4900, 0x49e0},
	{"\x1bOP", 0x3b00, 0x3b00},
	{"\x1b[15~", 0x3f00, 0x3f00},
	{"\x1b[21~", 0x4400, 0x4400},
};

START_TEST(bytes_become_keys)
{
	rig.input = keys[_i].bytes;
	ck_assert_uint_eq(peek_key(0x0100), keys[_i].key);
	ck_assert_uint_eq(take_key(0x0000), keys[_i].key);
	ck_assert_uint_eq(peek_key(0x0100), NO_KEY);
	rig.input = keys[_i].bytes;
	ck_assert_uint_eq(peek_key(0x1100), keys[_i].extended);
	ck_assert_uint_eq(take_key(0x1000), keys[_i].extended);
	ck_assert_uint_eq(peek_key(0x1100), NO_KEY);
}
END_TEST

START_TEST(a_line_end_of_two_bytes_is_one_key)
{
	rig.input = "\r\n\n";
	ck_assert_uint_eq(take_key(0), 0x1c0d);
	ck_assert_uint_eq(take_key(0), 0x1c0d);
	ck_assert_uint_eq(peek_key(0x0100), NO_KEY);
}
END_TEST

START_TEST(escape_alone_is_a_key_after_a_while)
{
	rig.input = "\x1b";
	ck_assert_uint_eq(peek_key(0x0100), NO_KEY);
	memory_write32(BDA_TICKS, 2);
	ck_assert_uint_eq(peek_key(0x0100), NO_KEY);
	memory_write32(BDA_TICKS, 3);
	ck_assert_uint_eq(peek_key(0x0100), 0x011b);
}
END_TEST

START_TEST(escape_alone_is_a_key_where_no_tick_comes)
{
	unsigned polls;

	rig.input = "\x1b";
	for (polls = 0; polls < 10000 && peek_key(0x0100) == NO_KEY; polls++)
		;
	ck_assert_uint_gt(polls, 100);
	ck_assert_uint_lt(polls, 10000);
	ck_assert_uint_eq(take_key(0), 0x011b);
}
END_TEST

START_TEST(a_sequence_may_come_in_pieces)
{
	rig.input = "\x1b[";
	ck_assert_uint_eq(peek_key(0x0100), NO_KEY);
	memory_write32(BDA_TICKS, 2);
	rig.input = "A";
	ck_assert_uint_eq(peek_key(0x0100), 0x4800);
}
END_TEST

START_TEST(what_is_no_sequence_is_keys)
{
	rig.input = "\x1bq\x1b[Zx";
	ck_assert_uint_eq(take_key(0), 0x011b);
	ck_assert_uint_eq(take_key(0), 0x1071);
	ck_assert_uint_eq(take_key(0), 0x011b);
	ck_assert_uint_eq(take_key(0), 0x1a5b);
	ck_assert_uint_eq(take_key(0), 0x2c5a);
	ck_assert_uint_eq(take_key(0), 0x2d78);
}
END_TEST

START_TEST(nobody_types_and_the_caller_waits_for_an_interrupt)
{
	ck_assert_uint_eq(take_key(0), NO_KEY);
	ck_assert_uint_eq(rig.ier, 1);
	rig.input = "a";
	ck_assert_uint_eq(take_key(0), 0x1e61);
	ck_assert_uint_eq(rig.ier, 0);
}
END_TEST

START_TEST(what_was_typed_before_the_bios_was_there_is_kept)
{
	rig.input = "\x1b";
	screen_init(&rig.bios);
	rig.input = "[A";
	memory_write32(BDA_TICKS, 100);
	ck_assert_uint_eq(take_key(0), 0x4800);
}
END_TEST

START_TEST(what_has_no_room_waits_in_the_chip)
{
	unsigned i;

	rig.input = "0123456789abcdefXYZ";
	ck_assert_uint_ne(peek_key(0x0100), NO_KEY);
	ck_assert_str_eq(rig.input, "fXYZ"); /* 15 keys */
	for (i = 0; i < 19; i++)
		ck_assert_uint_eq(low8(take_key(0)), (uint8_t) "0123456789abcdefXYZ"[i]);
}
END_TEST

START_TEST(programs_put_keys_and_spoil_pointers)
{
	unsigned i;

	for (i = 0; i < 15; i++) {
		rig.frame.eax = 0x0500;
		rig.frame.ecx = 0x1234 + i;
		keyboard_service(&rig.bios, &rig.frame);
		ck_assert_uint_eq(low8(rig.frame.eax), 0);
	}
	rig.frame.eax = 0x0500;
	keyboard_service(&rig.bios, &rig.frame);
	ck_assert_uint_eq(low8(rig.frame.eax), 1);
	ck_assert_uint_eq(take_key(0), 0x1234);
	memory_write16(BDA_KEY_HEAD, 0xffff);
	memory_write16(BDA_KEY_TAIL, 0x21);
	ck_assert_uint_eq(peek_key(0x0100), NO_KEY);
}
END_TEST

/* INT 10h. */
static void call(uint16_t ax, uint16_t bx, uint16_t cx, uint16_t dx)
{
	rig.frame.eax = ax;
	rig.frame.ebx = bx;
	rig.frame.ecx = cx;
	rig.frame.edx = dx;
	ck_assert_int_eq(screen_service(&rig.bios, &rig.frame), BIOS_RETURN);
}

static void type(const char *text)
{
	while (*text)
		call(0x0e00 | (uint8_t)*text++, 7, 0, 0);
}

static void expect_cursor(unsigned row, unsigned column)
{
	call(0x0300, 0, 0, 0);
	ck_assert_uint_eq(rig.frame.edx, row << 8 | column);
	ck_assert_uint_eq(rig.frame.ecx, 0x0607);
}

START_TEST(teletype_goes_to_the_terminal_as_it_is)
{
	type("Hello\r\nthere\b\a!");
	ck_assert_str_eq(bios_rig_output(), "Hello\r\nthere\b\a!");
	expect_cursor(1, 5);
}
END_TEST

START_TEST(a_full_line_ends)
{
	char line[84];

	memset(line, 'x', 80);
	line[80] = '\0';
	type(line);
	expect_cursor(1, 0);
	type("y");
	strcpy(line + 80, "\r\ny");
	ck_assert_str_eq(bios_rig_output(), line);
}
END_TEST

START_TEST(the_last_line_scrolls)
{
	unsigned i;

	for (i = 0; i < 30; i++)
		type("\r\n");
	bios_rig_output();
	expect_cursor(24, 0);
	type("a\r\nb");
	ck_assert_str_eq(bios_rig_output(), "a\r\nb");
	expect_cursor(24, 1);
}
END_TEST

START_TEST(a_moved_cursor_is_told_once_it_matters)
{
	call(0x0200, 0, 0, 0x0a14);
	expect_cursor(10, 20);
	ck_assert_str_eq(bios_rig_output(), "");
	type("ab");
	ck_assert_str_eq(bios_rig_output(), "\x1b[11;21Hab");
	call(0x0200, 0, 0, 0x0a16); /* where it is */
	type("c");
	ck_assert_str_eq(bios_rig_output(), "c");
	call(0x0200, 0, 0, 0xffff); /* as far as the screen goes */
	expect_cursor(24, 79);
}
END_TEST

START_TEST(characters_leave_the_cursor_where_it_was)
{
	call(0x0941, 0x0007, 3, 0);
	ck_assert_str_eq(bios_rig_output(), "AAA");
	expect_cursor(0, 0);
}
END_TEST

START_TEST(colours_are_told_when_they_change)
{
	call(0x0941, 0x0070, 1, 0); /* black on light grey: GRUB's highlight */
	ck_assert_str_eq(bios_rig_output(), "\x1b[0;30;47mA");
	call(0x0200, 0, 0, 0x0001);
	call(0x0942, 0x001e, 1, 0); /* yellow on blue */
	ck_assert_str_eq(bios_rig_output(), "\x1b[0;1;33;44mB");
	call(0x0200, 0, 0, 0x0002);
	call(0x0943, 0x0007, 1, 0);
	ck_assert_str_eq(bios_rig_output(), "\x1b[0mC");
}
END_TEST

START_TEST(blanks_erase)
{
	call(0x0200, 0, 0, 0x0146);
	call(0x0920, 0x0007, 20, 0); /* ten on this line, ten on the next */
	ck_assert_str_eq(bios_rig_output(), "\x1b[2;71H\x1b[10X\x1b[3;1H\x1b[10X");
	expect_cursor(1, 70);
	call(0x0200, 0, 0, 0x184f);
	call(0x0a20, 0, 0xffff, 0); /* no further than the screen's end */
	expect_cursor(24, 79);
}
END_TEST

START_TEST(frames_become_ascii)
{
	type("\xc9\xcd\xbb\xb3\xc4\xda\x18");
	ck_assert_str_eq(bios_rig_output(), "+-+|-+^");
}
END_TEST

START_TEST(windows_are_cleared_and_scrolled)
{
	call(0x0600, 0x0700, 0x0000, 0x184f);
	ck_assert_str_eq(bios_rig_output(), "\x1b[2J");
	call(0x0600, 0x0700, 0x0102, 0x0205);
	ck_assert_str_eq(bios_rig_output(), "\x1b[2;3H\x1b[4X\x1b[3;3H\x1b[4X");
	call(0x0702, 0x0700, 0x0500, 0x0a4f);
	ck_assert_str_eq(bios_rig_output(), "\x1b[6;11r\x1b[2T\x1b[r");
	call(0x0601, 0x0700, 0x0501, 0x0a4f); /* a terminal cannot */
	ck_assert_str_eq(bios_rig_output(), "");
	type("x"); /* nobody knows where the terminal's cursor is by now */
	ck_assert_str_eq(bios_rig_output(), "\x1b[1;1Hx");
	call(0x0600, 0x0700, 0x0000, 0x004f); /* a part, though as wide as the screen */
	ck_assert_str_eq(bios_rig_output(), "\x1b[1;1H\x1b[80X");
	type("\ry");
	ck_assert_str_eq(bios_rig_output(), "\x1b[1;1H\ry");
	call(0x0600, 0x0700, 0x2000, 0x1000); /* upside down */
	ck_assert_str_eq(bios_rig_output(), "");
}
END_TEST

START_TEST(strings_are_written_where_they_shall_be)
{
	memcpy(&rig.memory[0x30010], "ab", 2);
	rig.frame.es = 0x3000;
	rig.frame.ebp = 0x10;
	call(0x1300, 0x0007, 2, 0x0203);
	ck_assert_str_eq(bios_rig_output(), "\x1b[3;4Hab");
	expect_cursor(0, 0);
	memcpy(&rig.memory[0x30010],
		"a\x07"
		"b\x70",
		4);
	call(0x1303, 0x0007, 2, 0x0205);
	ck_assert_str_eq(bios_rig_output(), "a\x1b[0;30;47mb");
	expect_cursor(2, 7);
}
END_TEST

START_TEST(a_mode_set_clears_the_screen)
{
	call(0x0200, 0, 0, 0x0a0a);
	call(0x0003, 0, 0, 0);
	ck_assert_str_eq(bios_rig_output(), "\x1b[H\x1b[2J");
	expect_cursor(0, 0);
	call(0x0f00, 0, 0, 0);
	ck_assert_uint_eq(rig.frame.eax, 0x5003);
	call(0x4f00, 0, 0, 0); /* no VESA: unchanged */
	ck_assert_uint_eq(rig.frame.eax, 0x4f00);
}
END_TEST

Suite *bios_console_suite(void)
{
	Suite *suite = suite_create("firmware/bios/console");
	TCase *keyboard = tcase_create("bios-keyboard"), *screen = tcase_create("bios-screen");

	suite_add_tcase(suite, keyboard);
	tcase_add_checked_fixture(keyboard, bios_rig_setup, NULL);
	tcase_add_loop_test(keyboard, bytes_become_keys, 0, (int)ARRAY_SIZE(keys));
	tcase_add_test(keyboard, a_line_end_of_two_bytes_is_one_key);
	tcase_add_test(keyboard, escape_alone_is_a_key_after_a_while);
	tcase_add_test(keyboard, escape_alone_is_a_key_where_no_tick_comes);
	tcase_add_test(keyboard, a_sequence_may_come_in_pieces);
	tcase_add_test(keyboard, what_is_no_sequence_is_keys);
	tcase_add_test(keyboard, nobody_types_and_the_caller_waits_for_an_interrupt);
	tcase_add_test(keyboard, what_was_typed_before_the_bios_was_there_is_kept);
	tcase_add_test(keyboard, what_has_no_room_waits_in_the_chip);
	tcase_add_test(keyboard, programs_put_keys_and_spoil_pointers);
	suite_add_tcase(suite, screen);
	tcase_add_checked_fixture(screen, bios_rig_setup, NULL);
	tcase_add_test(screen, teletype_goes_to_the_terminal_as_it_is);
	tcase_add_test(screen, a_full_line_ends);
	tcase_add_test(screen, the_last_line_scrolls);
	tcase_add_test(screen, a_moved_cursor_is_told_once_it_matters);
	tcase_add_test(screen, characters_leave_the_cursor_where_it_was);
	tcase_add_test(screen, colours_are_told_when_they_change);
	tcase_add_test(screen, blanks_erase);
	tcase_add_test(screen, frames_become_ascii);
	tcase_add_test(screen, windows_are_cleared_and_scrolled);
	tcase_add_test(screen, strings_are_written_where_they_shall_be);
	tcase_add_test(screen, a_mode_set_clears_the_screen);
	return suite;
}
