/* The serial chip's line: the console at its end, back-pressure, loopback, break. */
#include "uart16550_fixture.h"

START_TEST(output_leaves_at_once_while_the_console_takes_it)
{
	SETUP(f);
	out(&f, DATA, 'h');
	ck_assert_uint_eq(in(&f, LSR), 0x60);
	out(&f, IIR, 0x01);
	out(&f, DATA, 'i');
	check_out(&f, "hi");
	ck_assert_uint_eq(in(&f, LSR), 0x60);
}
END_TEST

START_TEST(a_stalled_console_keeps_thr_full_and_loses_nothing)
{
	SETUP(f);
	out(&f, IER, 0x02);
	ck_assert_uint_eq(in(&f, IIR), 0x02);
	f.room = 0;
	out(&f, DATA, 'a');
	ck_assert_uint_eq(in(&f, LSR), 0x00);
	ck_assert_uint_eq(in(&f, IIR), 0x01);
	drain(&f, 0);
	ck_assert_uint_eq(in(&f, LSR), 0x00);
	drain(&f, 1);
	ck_assert(f.irq);
	check_out(&f, "a");
	ck_assert_uint_eq(in(&f, LSR), 0x60);
	ck_assert_uint_eq(in(&f, IIR), 0x02);
}
END_TEST

START_TEST(sixteen_bytes_wait_in_the_fifo_in_order)
{
	SETUP(f);
	unsigned i;

	out(&f, IIR, 0x01);
	f.room = 0;
	for (i = 0; i < 16; i++)
		out(&f, DATA, (uint8_t)('a' + i));
	out(&f, DATA, '!'); /* the guest did not look at THRE: this one has no place */
	drain(&f, 5);
	check_out(&f, "abcde");
	ck_assert_uint_eq(in(&f, LSR), 0x00);
	f.room = SIZE_MAX;
	out(&f, DATA, '+'); /* waits for its turn: the console said that it will call */
	check_out(&f, "abcde");
	drain(&f, SIZE_MAX);
	check_out(&f, "abcdefghijklmnop+");
	ck_assert_uint_eq(in(&f, LSR), 0x60);
}
END_TEST

START_TEST(without_fifo_a_second_byte_overwrites_thr)
{
	SETUP(f);
	f.room = 0;
	out(&f, DATA, 'a');
	out(&f, DATA, 'b');
	drain(&f, 9);
	check_out(&f, "b");
}
END_TEST

START_TEST(a_transmitter_reset_spares_the_shift_register_alone)
{
	SETUP(f);
	out(&f, IIR, 0x01);
	f.room = 0;
	out(&f, DATA, 'a');
	out(&f, DATA, 'b');
	out(&f, IIR, 0x05);
	drain(&f, 9);
	check_out(&f, "a");
}
END_TEST

static size_t claim_too_much(void *ctx, const uint8_t *bytes, size_t len)
{
	(void)ctx;
	(void)bytes;
	(void)len;
	return SIZE_MAX;
}

START_TEST(a_console_that_claims_too_much_does_no_harm)
{
	struct uart16550_config config = {.sink.write = claim_too_much};
	struct uart16550 uart;

	uart16550_init(&uart, &config);
	uart16550_ops.write(&uart, DATA, 1, 'x');
	ck_assert_uint_eq(uart16550_ops.read(&uart, LSR, 1), 0x60);
	ck_assert_uint_eq(uart.state.tx_count, 0);
	uart16550_fini(&uart);
}
END_TEST

START_TEST(without_a_console_output_vanishes_and_nothing_breaks)
{
	struct uart16550_config config = {0};
	struct uart16550 uart;

	/* No console, no interrupt line: output vanishes. */
	uart16550_init(&uart, &config);
	uart16550_ops.write(&uart, IER, 1, 0x0f);
	uart16550_ops.write(&uart, DATA, 1, 'x');
	ck_assert_uint_eq(uart16550_ops.read(&uart, LSR, 1), 0x60);
	ck_assert_uint_eq(uart16550_source(&uart).input(&uart, (const uint8_t *)"xy", 2), 1);
	ck_assert_uint_eq(uart16550_ops.read(&uart, DATA, 1), 'x');
	uart16550_fini(&uart);
	uart16550_fini(&(struct uart16550){0});
}
END_TEST

START_TEST(input_is_read_in_order_and_never_overruns)
{
	SETUP(f);
	unsigned i;

	out(&f, IIR, 0x01);
	ck_assert_uint_eq(input(&f, "abcdefghijklmnopqrst"), 16);
	ck_assert_uint_eq(input(&f, "q"), 0);
	for (i = 0; i < 16; i++) {
		ck_assert_uint_eq(in(&f, LSR), 0x61);
		ck_assert_uint_eq(f.wants, 0);
		ck_assert_uint_eq(in(&f, DATA), 'a' + i);
	}
	ck_assert_uint_eq(in(&f, LSR), 0x60);
	ck_assert_uint_eq(f.wants, 1);
	in(&f, DATA);
	ck_assert_uint_eq(f.wants, 1); /* once for each short count */
}
END_TEST

START_TEST(the_console_may_send_from_within_want_input)
{
	SETUP(f);
	out(&f, IER, 0x01);
	ck_assert_uint_eq(input(&f, "ab"), 1); /* no FIFO: RBR alone */
	f.more = "b";
	ck_assert_uint_eq(in(&f, DATA), 'a');
	ck_assert_uint_eq(f.edges, 2);
	ck_assert(f.irq);
	ck_assert_uint_eq(in(&f, DATA), 'b');
	ck_assert_uint_eq(f.wants, 1);
	ck_assert(!f.irq);
}
END_TEST

START_TEST(a_receiver_reset_empties_it_and_asks_for_more)
{
	SETUP(f);
	out(&f, IIR, 0x01);
	input(&f, "abcdefghijklmnopq");
	out(&f, IIR, 0x05);
	ck_assert_uint_eq(in(&f, LSR), 0x61); /* the other FIFO's reset */
	out(&f, IIR, 0x03);
	ck_assert_uint_eq(in(&f, LSR), 0x60);
	ck_assert_uint_eq(f.wants, 1);
}
END_TEST

START_TEST(loopback_wires_the_modem_outputs_to_the_inputs)
{
	static const uint8_t inputs[16] = {0x00, 0x20, 0x10, 0x30, 0x40, 0x60, 0x50, 0x70, 0x80, 0xa0, 0x90,
		0xb0, 0xc0, 0xe0, 0xd0, 0xf0};
	SETUP(f);
	unsigned i;

	for (i = 0; i < 16; i++) {
		out(&f, MCR, (uint8_t)(0x10 | i));
		ck_assert_uint_eq(in(&f, MSR) & 0xf0, inputs[i]);
		ck_assert_uint_eq(in(&f, MSR), inputs[i]); /* the first read cleared the deltas */
	}
	out(&f, MCR, 0x00);
	ck_assert_uint_eq(in(&f, MSR) & 0xf0, 0xb0);
}
END_TEST

START_TEST(msr_deltas_tell_changes_and_the_trailing_edge_of_ri)
{
	/* MCR before and after, and the deltas that come of it. */
	static const uint8_t cases[][3] = {
		{0x10, 0x11, 0x02},
		{0x11, 0x10, 0x02},
		{0x10, 0x12, 0x01},
		{0x12, 0x10, 0x01},
		{0x10, 0x14, 0x00},
		{0x14, 0x10, 0x04},
		{0x10, 0x18, 0x08},
		{0x18, 0x10, 0x08},
		{0x1f, 0x10, 0x0f},
		{0x1f, 0x1f, 0x00},
		{0x00, 0x0f, 0x00},
	};
	SETUP(f);
	unsigned i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		out(&f, MCR, cases[i][0]);
		in(&f, MSR);
		out(&f, MCR, cases[i][1]);
		ck_assert_uint_eq(in(&f, MSR) & 0x0f, cases[i][2]);
	}
	/* They add up until they are read. */
	out(&f, MCR, 0x10);
	in(&f, MSR);
	out(&f, MCR, 0x11);
	out(&f, MCR, 0x13);
	ck_assert_uint_eq(in(&f, MSR), 0x33);
}
END_TEST

START_TEST(loopback_returns_output_and_nothing_leaves_or_enters)
{
	SETUP(f);
	out(&f, MCR, 0x10);
	ck_assert_uint_eq(input(&f, "x"), 0);
	ck_assert_uint_eq(in(&f, LSR), 0x60);
	out(&f, DATA, 0xa5);
	check_out(&f, "");
	ck_assert_uint_eq(in(&f, LSR), 0x61);
	ck_assert_uint_eq(input(&f, "x"), 0);
	ck_assert_uint_eq(in(&f, DATA), 0xa5);
	ck_assert_uint_eq(f.wants, 0);
	out(&f, MCR, 0x00);
	ck_assert_uint_eq(f.wants, 1); /* the console was kept waiting, and lost nothing */
	ck_assert_uint_eq(input(&f, "x"), 1);
	out(&f, DATA, 'y');
	check_out(&f, "y");
}
END_TEST

/* So Linux measures the FIFO: it must count 16. */
START_TEST(a_looped_overrun_keeps_sixteen_bytes_and_sets_oe)
{
	SETUP(f);
	unsigned i;

	out(&f, IIR, 0x07);
	out(&f, MCR, 0x10);
	for (i = 0; i < 256; i++)
		out(&f, DATA, (uint8_t)i);
	ck_assert_uint_eq(in(&f, LSR), 0x63);
	for (i = 0; in(&f, LSR) & 1; i++)
		ck_assert_uint_eq(in(&f, DATA), i);
	ck_assert_uint_eq(i, 16);
}
END_TEST

START_TEST(looping_does_not_disturb_what_a_stalled_console_owes)
{
	SETUP(f);
	out(&f, IIR, 0x01);
	f.room = 0;
	out(&f, DATA, 'a');
	out(&f, MCR, 0x10);
	out(&f, IER, 0x02);
	out(&f, DATA, 'b');
	ck_assert_uint_eq(in(&f, LSR), 0x01);
	ck_assert_uint_eq(in(&f, IIR), 0xc1); /* THR is still full */
	drain(&f, 9);
	check_out(&f, "a");
	ck_assert_uint_eq(in(&f, DATA), 'b');
}
END_TEST

START_TEST(a_looped_break_is_one_zero_byte_with_bi_at_its_turn)
{
	SETUP(f);
	out(&f, IIR, 0x01);
	out(&f, MCR, 0x10);
	out(&f, DATA, 'a');
	out(&f, LCR, 0x43);
	out(&f, LCR, 0x43); /* still the same break */
	out(&f, DATA, '?'); /* unheard: the line is held low */
	out(&f, LCR, 0x03);
	out(&f, DATA, 'b');
	ck_assert_uint_eq(in(&f, LSR), 0xe1); /* an error somewhere in the FIFO, not at its top */
	ck_assert_uint_eq(in(&f, LSR), 0xe1);
	ck_assert_uint_eq(in(&f, DATA), 'a');
	out(&f, IER, 0x04);
	ck_assert_uint_eq(in(&f, IIR), 0xc6);
	ck_assert_uint_eq(in(&f, LSR), 0xf9);
	ck_assert_uint_eq(in(&f, LSR), 0x61); /* reading cleared it, FIFO error and all */
	ck_assert_uint_eq(in(&f, IIR), 0xc1);
	ck_assert_uint_eq(in(&f, DATA), 0);
	ck_assert_uint_eq(in(&f, DATA), 'b');
	ck_assert_uint_eq(in(&f, LSR), 0x60);
}
END_TEST

START_TEST(a_break_outside_loopback_is_latched_only)
{
	SETUP(f);
	out(&f, LCR, 0x43);
	ck_assert_uint_eq(in(&f, LCR), 0x43);
	ck_assert_uint_eq(in(&f, LSR), 0x60);
	out(&f, DATA, 'a');
	check_out(&f, "a");
	out(&f, MCR, 0x10);                   /* now the receiver hears it */
	ck_assert_uint_eq(in(&f, LSR), 0x79); /* no FIFO: no bit 7 */
}
END_TEST

TCase *uart16550_line_tcase(void)
{
	TCase *tcase = tcase_create("line");

	tcase_add_test(tcase, output_leaves_at_once_while_the_console_takes_it);
	tcase_add_test(tcase, a_stalled_console_keeps_thr_full_and_loses_nothing);
	tcase_add_test(tcase, sixteen_bytes_wait_in_the_fifo_in_order);
	tcase_add_test(tcase, without_fifo_a_second_byte_overwrites_thr);
	tcase_add_test(tcase, a_transmitter_reset_spares_the_shift_register_alone);
	tcase_add_test(tcase, a_console_that_claims_too_much_does_no_harm);
	tcase_add_test(tcase, without_a_console_output_vanishes_and_nothing_breaks);
	tcase_add_test(tcase, input_is_read_in_order_and_never_overruns);
	tcase_add_test(tcase, the_console_may_send_from_within_want_input);
	tcase_add_test(tcase, a_receiver_reset_empties_it_and_asks_for_more);
	tcase_add_test(tcase, loopback_wires_the_modem_outputs_to_the_inputs);
	tcase_add_test(tcase, msr_deltas_tell_changes_and_the_trailing_edge_of_ri);
	tcase_add_test(tcase, loopback_returns_output_and_nothing_leaves_or_enters);
	tcase_add_test(tcase, a_looped_overrun_keeps_sixteen_bytes_and_sets_oe);
	tcase_add_test(tcase, looping_does_not_disturb_what_a_stalled_console_owes);
	tcase_add_test(tcase, a_looped_break_is_one_zero_byte_with_bi_at_its_turn);
	tcase_add_test(tcase, a_break_outside_loopback_is_latched_only);
	return tcase;
}
