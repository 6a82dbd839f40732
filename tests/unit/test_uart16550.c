/* The serial chip's registers and interrupts, against the PC16550D data sheet. */
#include "uart16550_fixture.h"

START_TEST(reset_values_are_those_of_the_data_sheet)
{
	SETUP(f);
	ck_assert_uint_eq(in(&f, IER), 0x00);
	ck_assert_uint_eq(in(&f, IIR), 0x01);
	ck_assert_uint_eq(in(&f, LCR), 0x00);
	ck_assert_uint_eq(in(&f, MCR), 0x00);
	ck_assert_uint_eq(in(&f, LSR), 0x60);
	ck_assert_uint_eq(in(&f, MSR), 0xb0); /* a terminal is there: CTS, DSR, DCD, no deltas */
	ck_assert_uint_eq(in(&f, DATA), 0x00);
	ck_assert_uint_eq(uart16550_ops.read(&f.uart, 8, 1), 0xff);
	ck_assert(!f.irq);
}
END_TEST

START_TEST(registers_read_back_the_bits_they_have)
{
	unsigned value;

	for (value = 0; value < 0x100; value++) {
		SETUP(f);
		out(&f, SCR, (uint8_t)value);
		ck_assert_uint_eq(in(&f, SCR), value);
		out(&f, IER, (uint8_t)value);
		ck_assert_uint_eq(in(&f, IER), value & 0x0f);
		out(&f, MCR, (uint8_t)value);
		ck_assert_uint_eq(in(&f, MCR), value & 0x1f);
		out(&f, LCR, (uint8_t)value);
		ck_assert_uint_eq(in(&f, LCR), value);
		out(&f, LSR, (uint8_t)value);
		out(&f, 8, (uint8_t)value);
	}
}
END_TEST

START_TEST(dlab_shows_the_divisor_in_place_of_data_and_ier)
{
	SETUP(f);
	out(&f, IER, 0x05);
	out(&f, LCR, 0x83);
	ck_assert_uint_eq(in(&f, 0), 1); /* 115200 baud from the start */
	ck_assert_uint_eq(in(&f, 1), 0);
	out(&f, 0, 0x0c);
	out(&f, 1, 0xa5);
	ck_assert_uint_eq(in(&f, 0), 0x0c);
	ck_assert_uint_eq(in(&f, 1), 0xa5);
	ck_assert_uint_eq(in(&f, IIR), 0x01);
	out(&f, LCR, 0x03);
	ck_assert_uint_eq(in(&f, IER), 0x05);
	check_out(&f, "");
}
END_TEST

START_TEST(fcr_bit_0_gates_the_others_and_shows_in_iir)
{
	SETUP(f);
	input(&f, "x");
	out(&f, IIR, 0xc6); /* ignored: bit 0 is clear */
	ck_assert_uint_eq(in(&f, DATA), 'x');
	ck_assert_uint_eq(in(&f, IIR), 0x01);
	out(&f, IIR, 0x01);
	ck_assert_uint_eq(in(&f, IIR), 0xc1);
	out(&f, IER, 0x01);
	input(&f, "x");
	ck_assert_uint_eq(in(&f, IIR), 0xc4); /* trigger level 1, not 14 */
	out(&f, IIR, 0x00);
	ck_assert_uint_eq(in(&f, IIR), 0x01); /* ... and the FIFO was emptied */
}
END_TEST

START_TEST(received_data_is_reported_from_the_trigger_level_on)
{
	static const uint8_t levels[] = {1, 4, 8, 14};
	unsigned i, count;

	for (i = 0; i < 4; i++) {
		SETUP(f);
		out(&f, IIR, (uint8_t)(i << 6 | 1));
		out(&f, IER, 0x01);
		for (count = 1; count <= 16; count++) {
			input(&f, "x");
			/* Below it is the time-out at once: the line is idle between bursts. */
			ck_assert_uint_eq(in(&f, IIR), count < levels[i] ? 0xcc : 0xc4);
			ck_assert(f.irq);
		}
		for (count = 15; count >= 1; count--) {
			in(&f, DATA);
			ck_assert_uint_eq(in(&f, IIR), count < levels[i] ? 0xcc : 0xc4);
		}
		in(&f, DATA);
		ck_assert_uint_eq(in(&f, IIR), 0xc1);
		ck_assert(!f.irq);
	}
}
END_TEST

START_TEST(each_byte_read_below_the_trigger_level_is_followed_by_a_new_edge)
{
	SETUP(f);
	out(&f, IIR, 0x81);
	out(&f, IER, 0x01);
	input(&f, "abc");
	ck_assert_uint_eq(f.edges, 1);
	in(&f, DATA);
	ck_assert_uint_eq(f.edges, 2);
	in(&f, DATA);
	ck_assert_uint_eq(f.edges, 3);
	in(&f, DATA);
	ck_assert_uint_eq(f.edges, 3);
	ck_assert(!f.irq);
}
END_TEST

START_TEST(without_fifo_there_is_no_time_out_cause)
{
	SETUP(f);
	input(&f, "x");
	ck_assert(!f.irq); /* not enabled */
	out(&f, IER, 0x01);
	ck_assert(f.irq);
	ck_assert_uint_eq(in(&f, IIR), 0x04);
	ck_assert_uint_eq(in(&f, IIR), 0x04); /* reading IIR does not clear this cause */
	ck_assert_uint_eq(in(&f, DATA), 'x');
	ck_assert_uint_eq(in(&f, IIR), 0x01);
}
END_TEST

START_TEST(enabling_the_thre_interrupt_on_an_empty_thr_raises_it)
{
	SETUP(f);
	out(&f, IER, 0x02);
	ck_assert(f.irq);
	ck_assert_uint_eq(in(&f, IIR), 0x02);
	ck_assert(!f.irq); /* reading IIR clears it */
	ck_assert_uint_eq(in(&f, IIR), 0x01);
	out(&f, IER, 0x02); /* it was enabled already: nothing new */
	ck_assert_uint_eq(in(&f, IIR), 0x01);
	out(&f, IER, 0x00);
	out(&f, IER, 0x02); /* Linux tests chips for this */
	ck_assert_uint_eq(in(&f, IIR), 0x02);
}
END_TEST

START_TEST(writing_thr_clears_the_thre_cause_and_makes_a_new_edge)
{
	SETUP(f);
	out(&f, IER, 0x02);
	ck_assert_uint_eq(f.edges, 1);
	out(&f, DATA, 'a'); /* IIR was not read */
	ck_assert_uint_eq(f.edges, 2);
	f.room = 0;
	out(&f, DATA, 'b');
	ck_assert(!f.irq);
	ck_assert_uint_eq(in(&f, IIR), 0x01);
	out(&f, IER, 0x00);
	out(&f, IER, 0x02); /* THR is not empty */
	ck_assert_uint_eq(in(&f, IIR), 0x01);
}
END_TEST

START_TEST(reading_iir_spares_the_thre_cause_when_another_comes_first)
{
	SETUP(f);
	out(&f, IER, 0x03);
	input(&f, "x");
	ck_assert_uint_eq(in(&f, IIR), 0x04);
	in(&f, DATA);
	ck_assert_uint_eq(in(&f, IIR), 0x02);
	ck_assert_uint_eq(in(&f, IIR), 0x01);
}
END_TEST

START_TEST(causes_come_in_their_priority_and_each_is_cleared_its_way)
{
	SETUP(f);
	out(&f, MCR, 0x10); /* loopback: all modem inputs fall */
	out(&f, DATA, 'a');
	out(&f, DATA, 'b'); /* RBR overruns, and keeps the last */
	out(&f, IER, 0x0f);
	ck_assert_uint_eq(in(&f, IIR), 0x06);
	ck_assert_uint_eq(in(&f, LSR), 0x63);
	ck_assert_uint_eq(in(&f, LSR), 0x61);
	ck_assert_uint_eq(in(&f, IIR), 0x04);
	ck_assert_uint_eq(in(&f, DATA), 'b');
	ck_assert_uint_eq(in(&f, IIR), 0x02);
	ck_assert(f.irq);
	ck_assert_uint_eq(in(&f, IIR), 0x00);
	ck_assert_uint_eq(in(&f, IIR), 0x00);
	ck_assert_uint_eq(in(&f, MSR), 0x0b);
	ck_assert_uint_eq(in(&f, IIR), 0x01);
	ck_assert(!f.irq);
}
END_TEST

START_TEST(a_cause_that_is_not_enabled_is_not_reported)
{
	SETUP(f);
	out(&f, MCR, 0x10);
	out(&f, DATA, 'a');
	out(&f, DATA, 'b');
	ck_assert_uint_eq(in(&f, IIR), 0x01);
	out(&f, IER, 0x08);
	ck_assert_uint_eq(in(&f, IIR), 0x00);
	out(&f, IER, 0x04);
	ck_assert_uint_eq(in(&f, IIR), 0x06);
	out(&f, IER, 0x01);
	ck_assert_uint_eq(in(&f, IIR), 0x04);
	out(&f, IER, 0x00);
	ck_assert_uint_eq(in(&f, IIR), 0x01);
	ck_assert(!f.irq);
}
END_TEST

START_TEST(out2_does_not_gate_the_interrupt)
{
	SETUP(f);
	out(&f, MCR, 0x00);
	out(&f, IER, 0x02);
	ck_assert(f.irq);
	out(&f, MCR, 0x08);
	ck_assert(f.irq);
}
END_TEST

Suite *uart16550_suite(void)
{
	Suite *suite = suite_create("uart16550");
	TCase *tcase = tcase_create("registers and interrupts");

	tcase_add_test(tcase, reset_values_are_those_of_the_data_sheet);
	tcase_add_test(tcase, registers_read_back_the_bits_they_have);
	tcase_add_test(tcase, dlab_shows_the_divisor_in_place_of_data_and_ier);
	tcase_add_test(tcase, fcr_bit_0_gates_the_others_and_shows_in_iir);
	tcase_add_test(tcase, received_data_is_reported_from_the_trigger_level_on);
	tcase_add_test(tcase, each_byte_read_below_the_trigger_level_is_followed_by_a_new_edge);
	tcase_add_test(tcase, without_fifo_there_is_no_time_out_cause);
	tcase_add_test(tcase, enabling_the_thre_interrupt_on_an_empty_thr_raises_it);
	tcase_add_test(tcase, writing_thr_clears_the_thre_cause_and_makes_a_new_edge);
	tcase_add_test(tcase, reading_iir_spares_the_thre_cause_when_another_comes_first);
	tcase_add_test(tcase, causes_come_in_their_priority_and_each_is_cleared_its_way);
	tcase_add_test(tcase, a_cause_that_is_not_enabled_is_not_reported);
	tcase_add_test(tcase, out2_does_not_gate_the_interrupt);
	suite_add_tcase(suite, tcase);
	suite_add_tcase(suite, uart16550_line_tcase());
	return suite;
}
