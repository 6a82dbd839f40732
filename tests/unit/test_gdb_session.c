/* What each packet does to a guest, and what comes back: a debugger's session in front of a guest that is none. */
#include "suites.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mock_debuggee.h"

static const struct {
	const char *packet, *reply;
} plain[] = {
	{"?", "T05thread:1;"},
	{"qC", "QC1"},
	{"qAttached", "1"},
	{"qAttached:1", ""},
	{"qfThreadInfo", "m1,2,3"},
	{"qsThreadInfo", "l"},
	{"vCont?", "vCont;c;C;s;S"},
	{"T1", "OK"},
	{"T3", "OK"},
	{"T4", "E16"},
	{"T-1", "E16"},
	{"T", "E16"},
	{"Hc-1", "OK"},
	{"Hg-1", "OK"},
	{"Hg0", "OK"},
	{"Hg4", "E16"},
	{"Hg-2", "E16"},
	{"Hg", "E16"},
	{"H", "OK"},
	/* "reserved for testing": and whatever else is not known */
	{"vMustReplyEmpty", ""},
	{"", ""},
	{"!", ""},
	{"qCRC:0,4", ""},
	{"qXfer:features:read:other.xml:0,100", ""},
	{"qXfer:memory-map:read::0,100", ""},
	{"X0,0:", ""},
	{"vFile:open:0,0,0", ""},
	{"Z5,0,1", ""},
	{"qSupported", ""},
	{"m", "E16"},
	{"m0", "E16"},
	{"m,4", "E16"},
	{"m0,", "E16"},
	{"m10000000000000000,1", "E16"},
	{"M0,1", "E16"},
	{"M0,1:", "E16"},
	{"M0,2:00", "E16"},
	{"M0,1:0x", "E16"},
	{"M0,ffffffffffffffff:00", "E16"},
	{"Z0", "E16"},
	{"Z0,0", "E16"},
	{"Z0,0,", "E16"},
	{"z,0,1", "E16"},
	{"p", "E16"},
	{"pffff", "E16"},
	{"pffffffffffffffff", "E16"},
	{"P0", "E16"},
	{"P0=", "E16"},
	{"P0=00", "E16"},
	{"Pffff=0000000000000000", "E16"},
	{"G", "E16"},
	{"G00", "E16"},
	{"vCont;", "E16"},
	{"vCont;x", "E16"},
	{"vCont;c:4", "E16"},
	{"vCont;c:", "E16"},
	{"vCont;C", "E16"},
	{"vCont;c;", "E16"},
	{"vCont;c1", "E16"},
	{"qThreadExtraInfo,4", "E16"},
	{"qThreadExtraInfo,-1", "E16"},
	{"qXfer:features:read:target.xml:0", "E16"},
	{"QStartNoAckMode", "OK"},
};

START_TEST(packet_has_its_reply)
{
	ck_assert_str_eq(ask(plain[_i].packet), plain[_i].reply);
	ck_assert_uint_eq(guest.resumes + guest.inserts + guest.removes, 0);
	ck_assert_int_eq(session.no_ack, !strcmp(plain[_i].packet, "QStartNoAckMode"));
}
END_TEST

START_TEST(supported_names_the_size_of_a_packet)
{
	const char *reply = ask("qSupported:multiprocess+;swbreak+;hwbreak+;xmlRegisters=i386");

	ck_assert_str_eq(reply,
		"PacketSize=1000;qXfer:features:read+;QStartNoAckMode+;swbreak+;hwbreak+;vContSupported+");
	ck_assert(session.says_kind);
	ask("qSupported:vContSupported+");
	ck_assert(!session.says_kind);
}
END_TEST

START_TEST(memory_is_read_and_written)
{
	ask("Hg3");
	ck_assert_str_eq(ask("M1ffe,2:beef"), "OK");
	ck_assert_uint_eq(guest.cpu, 2);
	ck_assert_str_eq(ask("m1ffd,3"), "00beef");
	/* As far as there is any. */
	ck_assert_str_eq(ask("m1ffe,4"), "beef");
	ck_assert_str_eq(ask("m2000,1"), "E0e");
	ck_assert_str_eq(ask("m0,0"), "");
	ck_assert_str_eq(ask("M1fff,2:0000"), "E0e");
	ck_assert_str_eq(ask("M2000,1:00"), "E0e");
	/* As much as a packet holds. */
	ck_assert_uint_eq(strlen(ask("m0,ffffffff")), PACKET_MAX);
}
END_TEST

START_TEST(breakpoints_are_set_and_cleared)
{
	for (unsigned kind = 0; kind <= 4; kind++) {
		char packet[32];

		snprintf(packet, sizeof(packet), "Z%u,1008,8", kind);
		ck_assert_str_eq(ask(packet), "OK");
		ck_assert_uint_eq(guest.inserts, kind + 1);
		ck_assert_int_eq(guest.kind, (int)kind);
		ck_assert_uint_eq(guest.address, 0x1008);
		/* What GDB says of an instruction's length is none of ours. */
		ck_assert_uint_eq(guest.len, kind < 2 ? 1 : 8);
		*packet = 'z';
		ck_assert_str_eq(ask(packet), "OK");
		ck_assert_uint_eq(guest.removes, kind + 1);
		ck_assert_int_eq(guest.kind, (int)kind);
	}
	guest.err = -ENOSPC;
	ck_assert_str_eq(ask("Z1,0,1"), "E1c");
	guest.err = -ENOTSUP;
	ck_assert_str_eq(ask("Z2,0,1"), "");
}
END_TEST

#define H DEBUG_HOLD
#define S DEBUG_STEP
#define C DEBUG_CONTINUE

static const struct {
	const char *packet;
	enum debug_go how[CPUS];
} resumes[] = {
	{"c", {C, C, C}},
	{"C05", {C, C, C}},
	{"s", {H, S, H}}, /* thread 2 is chosen */
	{"S05", {H, S, H}},
	{"vCont;c", {C, C, C}},
	{"vCont;c:-1", {C, C, C}},
	{"vCont;C05", {C, C, C}},
	{"vCont;s:1", {S, H, H}},
	{"vCont;s:3;c", {C, C, S}},
	{"vCont;s:0;c", {C, S, C}},
	{"vCont;c;s:3", {C, C, C}}, /* the first one counts */
	{"vCont;S05:1;c:2", {S, C, H}},
};

START_TEST(guest_goes_on_as_it_was_told)
{
	ask("Hg2");
	ck_assert_int_eq(session_answer(&session, resumes[_i].packet), SESSION_WAIT);
	ck_assert(session.running);
	ck_assert_uint_eq(guest.resumes, 1);
	for (unsigned i = 0; i < CPUS; i++)
		ck_assert_int_eq(guest.how[i], resumes[_i].how[i]);
}
END_TEST

START_TEST(guest_that_cannot_go_on_is_told_of_at_once)
{
	guest.err = -EBUSY;
	ck_assert_str_eq(ask("vCont;c"), "E10");
	ck_assert(!session.running);
	ck_assert_str_eq(ask("g"), "E10");
	ck_assert_str_eq(ask("P0=0000000000000000"), "E10");
}
END_TEST

static const struct {
	struct debug_stop stop;
	const char *reply, *plain; /* if the debugger does not ask for the kind */
} stops[] = {
	{{DEBUG_HALTED, 0, 0, 0}, "T02thread:1;", NULL},
	{{DEBUG_STEPPED, 2, 0, 0}, "T05thread:3;", NULL},
	{{DEBUG_POINT, 1, DEBUG_SOFTWARE, 0x1000}, "T05swbreak:;thread:2;", "T05thread:2;"},
	{{DEBUG_POINT, 1, DEBUG_HARDWARE, 0x1000}, "T05hwbreak:;thread:2;", "T05thread:2;"},
	{{DEBUG_POINT, 1, DEBUG_WRITE, 0x1008}, "T05watch:1008;thread:2;", NULL},
	{{DEBUG_POINT, 1, DEBUG_READ, 0x1008}, "T05rwatch:1008;thread:2;", NULL},
	{{DEBUG_POINT, 1, DEBUG_ACCESS, 0x1008}, "T05awatch:1008;thread:2;", NULL},
};

START_TEST(stop_says_who_and_why)
{
	session.running = true;
	session_stopped(&session, &stops[_i].stop);
	ck_assert(!session.running);
	ck_assert_str_eq(payload(), stops[_i].plain ? stops[_i].plain : stops[_i].reply);
	ask("qSupported:swbreak+;hwbreak+");
	ck_assert_str_eq(ask("?"), stops[_i].reply);
	/* Its registers are what is asked for next. */
	ck_assert_uint_eq(session.cpu, stops[_i].stop.cpu);
}
END_TEST

START_TEST(end_of_the_run_has_its_status)
{
	struct lodge_result result = {.outcome = LODGE_GUEST_EXIT, .status = 42};

	session_ended(&session, &result);
	ck_assert_str_eq(payload(), "W2a");
	result = (struct lodge_result){.outcome = LODGE_TRIPLE_FAULT, .status = 111};
	session_ended(&session, &result);
	ck_assert_str_eq(payload(), "W6f");
	result = (struct lodge_result){.outcome = LODGE_STOPPED, .status = 115};
	session_ended(&session, &result);
	ck_assert_str_eq(payload(), "X0f");
}
END_TEST

START_TEST(detach_and_kill_end_the_session)
{
	ck_assert_int_eq(session_answer(&session, "D"), SESSION_DETACH);
	ck_assert_str_eq(payload(), "OK");
	ck_assert_int_eq(session_answer(&session, "k"), SESSION_KILL);
	ck_assert_int_eq(session_answer(&session, "vKill;1"), SESSION_KILL);
	ck_assert_str_eq(payload(), "OK");
	ck_assert_uint_eq(guest.resumes, 0);
}
END_TEST

/* A reply in hexadecimal digits, as text. */
static const char *text_of(const char *hex)
{
	static char text[PACKET_MAX];

	memset(text, 0, sizeof(text));
	ck_assert(packet_hex(&hex, text, strlen(hex) / 2));
	return text;
}

START_TEST(info_tells_each_cpu_s_mode)
{
	guest.cpus[1].sregs.cr0 = 0x80000001;
	guest.cpus[1].sregs.efer = 0x500;
	guest.cpus[1].sregs.cs.l = 1;
	guest.cpus[2].sregs.cr0 = 1;
	guest.cpus[2].sregs.cs.db = 1;
	ck_assert_str_eq(text_of(ask("qRcmd,696e666f")),
		"CPU 0: real mode, paging off\nCPU 1: 64-bit mode, paging on\n"
		"CPU 2: 32-bit protected mode, paging off\n");
	ck_assert_str_eq(text_of(ask("qThreadExtraInfo,2")), "64-bit mode, paging on");
	guest.cpus[1].sregs.cs.l = 0;
	ck_assert_str_eq(text_of(ask("qThreadExtraInfo,2")), "compatibility mode, paging on");
	guest.cpus[2].sregs.cs.db = 0;
	ck_assert_str_eq(text_of(ask("qThreadExtraInfo,3")), "16-bit protected mode, paging off");
	guest.err = -ESRCH;
	ck_assert_str_eq(text_of(ask("qThreadExtraInfo,3")), "gone");
}
END_TEST

START_TEST(monitor_knows_few_commands_and_says_so)
{
	static const char *const unknown[] = {
		"696e66", "696e666f20", "7", "zz", "6161616161616161616161616161616161616161616161616161"};

	ck_assert_ptr_nonnull(strstr(text_of(ask("qRcmd,")), "i8086 "));
	ck_assert_ptr_nonnull(strstr(text_of(ask("qRcmd,68656c70")), "x86-64 "));
	for (unsigned i = 0; i < ARRAY_SIZE(unknown); i++) {
		char packet[80];

		snprintf(packet, sizeof(packet), "qRcmd,%s", unknown[i]);
		ck_assert_str_eq(text_of(ask(packet)), "no such command; see `monitor help`\n");
	}
}
END_TEST

Suite *gdb_session_suite(void)
{
	Suite *suite = suite_create("gdb/session");
	TCase *tcase = tcase_create("packets");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, mock_setup, NULL);
	tcase_add_loop_test(tcase, packet_has_its_reply, 0, ARRAY_SIZE(plain));
	tcase_add_test(tcase, supported_names_the_size_of_a_packet);
	tcase_add_test(tcase, memory_is_read_and_written);
	tcase_add_test(tcase, breakpoints_are_set_and_cleared);
	tcase_add_loop_test(tcase, guest_goes_on_as_it_was_told, 0, ARRAY_SIZE(resumes));
	tcase_add_test(tcase, guest_that_cannot_go_on_is_told_of_at_once);
	tcase_add_loop_test(tcase, stop_says_who_and_why, 0, ARRAY_SIZE(stops));
	tcase_add_test(tcase, end_of_the_run_has_its_status);
	tcase_add_test(tcase, detach_and_kill_end_the_session);
	tcase_add_test(tcase, info_tells_each_cpu_s_mode);
	tcase_add_test(tcase, monitor_knows_few_commands_and_says_so);
	return suite;
}
