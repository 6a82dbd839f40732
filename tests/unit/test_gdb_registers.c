/* A vCPU's registers as a debugger has them. */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>

#include "mock_debuggee.h"

/* All of the description, by as many requests as it takes. */
static const char *describe(size_t part)
{
	static char text[REGISTERS_TEXT_MAX];
	char packet[64];
	size_t len = 0;

	for (;;) {
		const char *reply;

		snprintf(packet, sizeof(packet), "qXfer:features:read:target.xml:%zx,%zx", len, part);
		reply = ask(packet);
		ck_assert_uint_le(strlen(reply) - 1, part);
		ck_assert_uint_lt(len + strlen(reply), sizeof(text));
		strcpy(text + len, reply + 1);
		len += strlen(reply) - 1;
		if (*reply == 'l')
			return text;
		ck_assert_int_eq(*reply, 'm');
	}
}

START_TEST(description_comes_in_pieces_and_needs_no_escapes)
{
	char whole[REGISTERS_TEXT_MAX];

	strcpy(whole, describe(0xfff));
	ck_assert_str_eq(describe(0x7f), whole);
	ck_assert_str_eq(describe(0x100000), whole);
	ck_assert_uint_eq(strcspn(whole, "#$}*"), strlen(whole));
	ck_assert_ptr_nonnull(strstr(whole, "<architecture>i386:x86-64</architecture>"));
	ck_assert_ptr_nonnull(strstr(whole, "<reg name=\"rip\" bitsize=\"64\" type=\"code_ptr\"/>"));
	ck_assert_ptr_nonnull(strstr(whole, "<feature name=\"org.gnu.gdb.i386.segments\">"));
	ck_assert_str_eq(whole + strlen(whole) - 19, "</feature></target>");
	ck_assert_str_eq(ask("qXfer:features:read:target.xml:ffffff,10"), "l");
}
END_TEST

/* How many registers, and what they have of bytes, by the description itself. */
static size_t described_bytes(unsigned *ret_count)
{
	const char *at = describe(0xfff);
	size_t bits = 0;

	for (*ret_count = 0; (at = strstr(at, " bitsize=\"")); ++*ret_count)
		bits += strtoul(at += 10, NULL, 10);
	return bits / 8;
}

/* "monitor i8086" */
#define MONITOR_I8086 "qRcmd,6938303836"

static const char *const layouts[] = {"", MONITOR_I8086};

START_TEST(g_is_as_long_as_the_description_says_and_G_is_its_inverse)
{
	static char packet[PACKET_MAX + 1];
	unsigned count, i;
	size_t bytes;

	ask(layouts[_i]);
	bytes = described_bytes(&count);
	memset(&guest.cpus[0], 0xa5, sizeof(guest.cpus[0]));
	guest.cpus[0].sregs.cs.base = 0;
	snprintf(packet, sizeof(packet), "G%s", ask("g"));
	ck_assert_uint_eq(strlen(packet) - 1, 2 * bytes);
	memset(&guest.cpus[0], 0, sizeof(guest.cpus[0]));
	ck_assert_str_eq(ask(packet), "OK");
	/* But for what KVM is not told. */
	ck_assert_uint_eq(guest.cpus[0].kernel_gs_base, 0);
	guest.cpus[0].kernel_gs_base = UINT64_C(0xa5a5a5a5a5a5a5a5);
	ck_assert_str_eq(ask("g"), packet + 1);
	for (i = 0, bytes = 0; i < count; i++) {
		char one[16];
		const char *reply;

		snprintf(one, sizeof(one), "p%x", i);
		reply = ask(one);
		ck_assert(!strncmp(reply, packet + 1 + 2 * bytes, strlen(reply)));
		bytes += strlen(reply) / 2;
	}
	ck_assert_uint_eq(2 * bytes, strlen(packet) - 1);
}
END_TEST

START_TEST(registers_are_those_of_the_chosen_thread)
{
	guest.cpus[1].regs.rax = 0x1122334455667788;
	ck_assert_str_eq(ask("p0"), "0000000000000000");
	ck_assert_str_eq(ask("Hg2"), "OK");
	ck_assert_str_eq(ask("p0"), "8877665544332211");
	ck_assert_str_eq(ask("P1=0807060504030201"), "OK");
	ck_assert_uint_eq(guest.cpus[1].regs.rbx, 0x0102030405060708);
	ck_assert_uint_eq(guest.cpus[0].regs.rbx, 0);
	ck_assert_uint_eq(guest.cpus[1].regs.rax, 0x1122334455667788);
}
END_TEST

START_TEST(rip_is_an_address_in_real_mode_too)
{
	guest.cpus[0].regs.rip = 0x34;
	guest.cpus[0].sregs.cs.base = 0x12000;
	ck_assert_str_eq(ask("p10"), "3420010000000000");
	ck_assert_str_eq(ask("P10=0030010000000000"), "OK");
	ck_assert_uint_eq(guest.cpus[0].regs.rip, 0x1000);
	/* A selector takes its base along there. */
	ck_assert_str_eq(ask("P14=00f00000"), "OK");
	ck_assert_uint_eq(guest.cpus[0].sregs.ds.selector, 0xf000);
	ck_assert_uint_eq(guest.cpus[0].sregs.ds.base, 0xf0000);
	guest.cpus[0].sregs.cr0 = 1;
	ck_assert_str_eq(ask("P14=10000000"), "OK");
	ck_assert_uint_eq(guest.cpus[0].sregs.ds.base, 0xf0000);
	/* In 64-bit mode the base counts for nothing. */
	guest.cpus[0].sregs.efer = 0x500;
	guest.cpus[0].sregs.cs.l = 1;
	ck_assert_str_eq(ask("p10"), "0010000000000000");
}
END_TEST

START_TEST(x87_tags_tell_what_is_empty)
{
	guest.cpus[0].fpu.ftwx = 0x81;
	ck_assert_str_eq(ask("p22"), "fc3f0000");
	ck_assert_str_eq(ask("P22=fcff0000"), "OK");
	ck_assert_uint_eq(guest.cpus[0].fpu.ftwx, 0x01);
}
END_TEST

START_TEST(i8086_has_registers_of_32_bits)
{
	guest.cpus[0].regs.rcx = 0x1122334455667788;
	ck_assert_str_eq(ask(MONITOR_I8086), "OK");
	ck_assert_str_eq(ask("p1"), "88776655");
	ck_assert_str_eq(ask("P1=01000000"), "OK");
	ck_assert_uint_eq(guest.cpus[0].regs.rcx, 0x1122334400000001);
	ck_assert_ptr_nonnull(strstr(describe(0xfff), "<architecture>i8086</architecture>"));
	ck_assert_str_eq(ask("qRcmd,7838362d3634"), "OK"); /* x86-64 */
	ck_assert_str_eq(ask("p2"), "0100000044332211");
}
END_TEST

Suite *gdb_registers_suite(void)
{
	Suite *suite = suite_create("gdb/registers");
	TCase *tcase = tcase_create("registers");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, mock_setup, NULL);
	tcase_add_test(tcase, description_comes_in_pieces_and_needs_no_escapes);
	tcase_add_loop_test(tcase, g_is_as_long_as_the_description_says_and_G_is_its_inverse, 0, 2);
	tcase_add_test(tcase, registers_are_those_of_the_chosen_thread);
	tcase_add_test(tcase, rip_is_an_address_in_real_mode_too);
	tcase_add_test(tcase, x87_tags_tell_what_is_empty);
	tcase_add_test(tcase, i8086_has_registers_of_32_bits);
	return suite;
}
