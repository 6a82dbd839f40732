/* The debug registers' bits, against Intel SDM vol. 3, 18.2.4. */
#include "suites.h"

#include "util/bytes.h"
#include "x86/debug_regs.h"

START_TEST(dr7_has_what_the_manual_says)
{
	ck_assert_uint_eq(debug_regs_dr7(0, DR7_EXECUTE, 1), 0x00000402);
	ck_assert_uint_eq(debug_regs_dr7(3, DR7_EXECUTE, 1), 0x00000480);
	ck_assert_uint_eq(debug_regs_dr7(0, DR7_WRITE, 1), 0x00010402);
	ck_assert_uint_eq(debug_regs_dr7(1, DR7_WRITE, 2), 0x00500408);
	ck_assert_uint_eq(debug_regs_dr7(2, DR7_READ_WRITE, 4), 0x0f000420);
	ck_assert_uint_eq(debug_regs_dr7(3, DR7_READ_WRITE, 8), 0xb0000480);
}
END_TEST

static const struct {
	uint64_t address;
	unsigned len;
	bool fits;
} ranges[] = {
	{0, 1, true},
	{1, 1, true},
	{2, 2, true},
	{1, 2, false},
	{4, 4, true},
	{2, 4, false},
	{8, 8, true},
	{4, 8, false},
	{UINT64_MAX - 7, 8, true},
	{0, 0, false},
	{0, 3, false},
	{0, 16, false},
	{0, UINT32_MAX, false},
};

START_TEST(register_watches_1_2_4_or_8_bytes_at_a_multiple)
{
	ck_assert_int_eq(debug_regs_can_watch(ranges[_i].address, ranges[_i].len), ranges[_i].fits);
}
END_TEST

Suite *debug_regs_suite(void)
{
	Suite *suite = suite_create("x86/debug_regs");
	TCase *tcase = tcase_create("bits");

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, dr7_has_what_the_manual_says);
	tcase_add_loop_test(tcase, register_watches_1_2_4_or_8_bytes_at_a_multiple, 0, ARRAY_SIZE(ranges));
	return suite;
}
