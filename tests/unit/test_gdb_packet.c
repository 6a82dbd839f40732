/* Packets of GDB's remote protocol: what arrives in pieces, damaged or too long, and what is sent. */
#include "suites.h"

#include <stdio.h>
#include <string.h>

#include "gdb/packet.h"

static struct packet_in in;
static struct packet_out out;

/* Takes all bytes but the last, which shall be no event, and that one. */
static enum packet_event take(const char *bytes)
{
	for (; bytes[1]; bytes++)
		ck_assert_int_eq(packet_take(&in, *bytes), PACKET_NONE);
	return packet_take(&in, *bytes);
}

START_TEST(packet_is_whole_with_its_second_digit)
{
	ck_assert_int_eq(take("+$qC#b4"), PACKET_WHOLE);
	ck_assert_str_eq(in.data, "qC");
	ck_assert_uint_eq(in.len, 2);
	ck_assert_int_eq(take("$#00"), PACKET_WHOLE);
	ck_assert_str_eq(in.data, "");
	ck_assert_int_eq(take("$m0,4#FD"), PACKET_WHOLE);
	ck_assert_str_eq(in.data, "m0,4");
}
END_TEST

static const char *const broken[] = {"$qC#b5", "$qC#a4", "$qC#bx", "$qC#x4", "$qC##4", "$qC#-4"};

START_TEST(wrong_checksum_is_told_and_forgotten)
{
	ck_assert_int_eq(take(broken[_i]), PACKET_BROKEN);
	ck_assert_int_eq(take("$?#3f"), PACKET_WHOLE);
	ck_assert_str_eq(in.data, "?");
}
END_TEST

START_TEST(other_bytes_between_packets_are_events)
{
	ck_assert_int_eq(packet_take(&in, '-'), PACKET_REFUSED);
	ck_assert_int_eq(packet_take(&in, '\003'), PACKET_BREAK);
	ck_assert_int_eq(packet_take(&in, 'G'), PACKET_GARBAGE);
	ck_assert_int_eq(packet_take(&in, '\0'), PACKET_GARBAGE);
	/* Within one they are data. */
	ck_assert_int_eq(take("$-\003G+#a4"), PACKET_BROKEN);
	ck_assert_int_eq(take("$-\003G+#a2"), PACKET_WHOLE);
}
END_TEST

/* A packet of len times 'a'. */
static enum packet_event take_long(size_t len)
{
	const unsigned sum = (unsigned)len * 'a' & 0xff;
	char end[8];
	size_t i;

	ck_assert_int_eq(packet_take(&in, '$'), PACKET_NONE);
	for (i = 0; i < len && packet_take(&in, 'a') == PACKET_NONE; i++)
		;
	ck_assert_uint_eq(i, len);
	snprintf(end, sizeof(end), "#%02x", sum);
	return take(end);
}

START_TEST(packet_that_is_too_long_is_broken_whatever_its_checksum)
{
	ck_assert_int_eq(take_long(PACKET_MAX), PACKET_WHOLE);
	ck_assert_uint_eq(in.len, PACKET_MAX);
	ck_assert_int_eq(in.data[PACKET_MAX], '\0');
	ck_assert_int_eq(take_long(PACKET_MAX + 1), PACKET_BROKEN);
	ck_assert_int_eq(take_long(100 * PACKET_MAX), PACKET_BROKEN);
	ck_assert_int_eq(take_long(3), PACKET_WHOLE);
}
END_TEST

START_TEST(what_is_sent_is_what_would_be_taken)
{
	static const uint8_t bytes[] = {0x00, 0x7f, 0xff};

	packet_begin(&out);
	packet_add(&out, "m%x;", 0x2a);
	packet_add_hex(&out, bytes, sizeof(bytes));
	packet_end(&out);
	ck_assert_str_eq(out.data, "$m2a;007fff#04");
	ck_assert_uint_eq(out.len, strlen(out.data));
	ck_assert_int_eq(take(out.data), PACKET_WHOLE);
	ck_assert_str_eq(in.data, "m2a;007fff");
}
END_TEST

START_TEST(reply_is_cut_where_a_packet_ends)
{
	static const uint8_t zeroes[PACKET_MAX];

	packet_begin(&out);
	packet_add(&out, "E");
	packet_add_hex(&out, zeroes, sizeof(zeroes));
	packet_add(&out, "%s", "xyz");
	packet_add(&out, "%s", "xyz");
	packet_end(&out);
	ck_assert_uint_eq(out.len, PACKET_MAX + 4);
	ck_assert_int_eq(take(out.data), PACKET_WHOLE);
	ck_assert_uint_eq(in.len, PACKET_MAX);
	ck_assert_int_eq(in.data[PACKET_MAX - 1], 'x'); /* an odd place: no byte's half */
}
END_TEST

START_TEST(numbers_have_64_bits_at_most)
{
	const char *at = "ffffffffffffffff,0";
	uint64_t number = 5;

	ck_assert(packet_number(&at, &number));
	ck_assert_uint_eq(number, UINT64_MAX);
	ck_assert(packet_char(&at, ','));
	ck_assert(packet_number(&at, &number));
	ck_assert_uint_eq(number, 0);
	ck_assert(!packet_number(&at, &number));
	ck_assert(!packet_char(&at, ','));
	ck_assert(!packet_char(&at, '\0'));
	at = "10000000000000000";
	ck_assert(!packet_number(&at, &number));
	at = "";
	ck_assert(!packet_number(&at, &number));
}
END_TEST

START_TEST(bytes_have_two_digits_each)
{
	const char *at = "00aBfF1";
	uint8_t bytes[4] = {9, 9, 9, 9};

	ck_assert(packet_hex(&at, bytes, 3));
	ck_assert_int_eq(bytes[1], 0xab);
	ck_assert_int_eq(bytes[2], 0xff);
	ck_assert_int_eq(bytes[3], 9);
	ck_assert(!packet_hex(&at, bytes, 1));
	at = "0x";
	ck_assert(!packet_hex(&at, bytes, 1));
	ck_assert(packet_hex(&at, bytes, 0));
}
END_TEST

Suite *gdb_packet_suite(void)
{
	Suite *suite = suite_create("gdb/packet");
	TCase *tcase = tcase_create("packets");

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, packet_is_whole_with_its_second_digit);
	tcase_add_loop_test(tcase, wrong_checksum_is_told_and_forgotten, 0, 6);
	tcase_add_test(tcase, other_bytes_between_packets_are_events);
	tcase_add_test(tcase, packet_that_is_too_long_is_broken_whatever_its_checksum);
	tcase_add_test(tcase, what_is_sent_is_what_would_be_taken);
	tcase_add_test(tcase, reply_is_cut_where_a_packet_ends);
	tcase_add_test(tcase, numbers_have_64_bits_at_most);
	tcase_add_test(tcase, bytes_have_two_digits_each);
	return suite;
}
