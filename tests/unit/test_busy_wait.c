/* Whether to look or to sleep, with what is seen and the time made up by the tests. */
#include "suites.h"

#include "util/busy_wait.h"
#include "util/bytes.h"
#include "util/clock.h"

#define US UINT64_C(1000)
#define MS (1000 * US)

static struct busy_wait wait;
static struct busy_look seen;
static uint64_t now;

static void set_up(void)
{
	wait = (struct busy_wait){.yield_max = BUSY_WAIT_YIELD_MAX};
	seen = (struct busy_look){0};
	now = 1000 * NS_PER_S;
}

static bool look(void)
{
	bool on = busy_wait_goes_on(&wait, &seen, now);

	seen.yielded = 0;
	return on;
}

static bool look_after(uint64_t ns)
{
	now += ns;
	return look();
}

static bool ask(void)
{
	seen.taken++;
	seen.under_way++;
	return look();
}

/* A request whose answer takes so long, seen when it comes; for how long it was looked for. */
static uint64_t request(uint64_t takes)
{
	uint64_t looked = 0;

	ask();
	while (looked < takes && look_after(MIN(takes - looked, US)))
		looked += US;
	if (looked < takes)
		now += takes - looked;
	seen.under_way--;
	look();
	now += 10 * MS; /* and then the guest has other things to do */
	look();
	return looked;
}

/* Others get the CPU for so long. */
static bool yield(uint64_t ns)
{
	seen.yielded = ns;
	return look_after(ns);
}

START_TEST(a_guest_without_requests_is_never_looked_at)
{
	ck_assert(!look());
	wait.bound = BUSY_WAIT_MAX;
	ck_assert(!look_after(US));
	ck_assert(!look_after(NS_PER_S));
}
END_TEST

START_TEST(after_anything_new_it_looks_once_more)
{
	seen.taken++; /* and answered at once */
	ck_assert(look());
	ck_assert(!look_after(US));
	ask();
	ck_assert(!look_after(US));
	seen.under_way--;
	ck_assert(look_after(MS));
	ck_assert(!look_after(US));
}
END_TEST

START_TEST(it_looks_as_long_as_answers_take)
{
	ck_assert_uint_le(request(50 * US), US);
	ck_assert_uint_ge(request(50 * US), 50 * US);
	ck_assert_uint_le(request(150 * US), 100 * US + US);
	ck_assert_uint_ge(request(150 * US), 150 * US);
	request(BUSY_WAIT_MAX - US);
	ck_assert_uint_ge(request(BUSY_WAIT_MAX - US), BUSY_WAIT_MAX - US);
	for (int i = 0; i < 100; i++)
		ck_assert_uint_ge(request(5 * US), 5 * US);
}
END_TEST

START_TEST(a_slow_disk_is_soon_not_looked_at)
{
	uint64_t looked = 0;

	request(BUSY_WAIT_MAX / 2);
	for (int i = 0; i < 1000; i++)
		looked += request(5 * MS);
	ck_assert_uint_gt(looked, BUSY_WAIT_MAX / 2);
	ck_assert_uint_le(looked, 2 * BUSY_WAIT_MAX + 20 * US);
	ck_assert(!wait.bound);
	/* One that is quick only now and then costs little. */
	for (int i = 0; i < 1000; i++)
		looked += request(i % 10 ? 5 * MS : 100 * US);
	ck_assert_uint_le(looked, 1000 * 5 * MS / 50);
}
END_TEST

START_TEST(with_many_under_way_each_that_ends_is_a_reason_to_look_on)
{
	wait.bound = 100 * US;
	for (int i = 0; i < 32; i++)
		ask();
	for (int i = 0; i < 31; i++) {
		ck_assert(look_after(90 * US));
		seen.under_way--;
		ck_assert(look());
	}
	ck_assert(look_after(90 * US));
	ck_assert(!look_after(100 * US));
}
END_TEST

START_TEST(a_pause_of_the_guest_is_not_taken_for_a_slow_disk)
{
	wait.bound = 100 * US;
	for (int i = 0; i < 10; i++)
		request(20 * US);
	ck_assert_uint_eq(wait.bound, 100 * US);
}
END_TEST

START_TEST(it_rests_when_others_want_the_cpu)
{
	wait.bound = BUSY_WAIT_MAX;
	ask();
	ck_assert(yield(BUSY_WAIT_YIELD_MAX / 10));
	seen.taken += 32; /* as many as there may be */
	ck_assert(!yield(BUSY_WAIT_YIELD_MAX));
	now += BACK_OFF_MIN - 1;
	ck_assert(!ask());
	now++;
	ck_assert(ask());
}
END_TEST

START_TEST(to_have_been_long_asleep_is_no_reason_to_rest)
{
	wait.bound = BUSY_WAIT_MAX;
	ask();
	seen.under_way--;
	ck_assert(look_after(NS_PER_S));
}
END_TEST

/* Yields at each chance, which takes 4 ms each time, for so long; how many they were. */
static unsigned contend(uint64_t ns)
{
	uint64_t end = now + ns;
	unsigned count = 0;

	while (now < end) {
		now += 100 * US;
		seen.taken++;
		if (look()) {
			yield(4 * MS);
			count++;
		}
	}
	return count;
}

START_TEST(where_others_always_want_the_cpu_it_hardly_ever_yields)
{
	ck_assert_uint_le(contend(60 * NS_PER_S), 4 + 60 * NS_PER_S / BACK_OFF_MAX);
	ck_assert_uint_ge(contend(60 * NS_PER_S), 10);
	ck_assert_uint_eq(wait.rest.span, BACK_OFF_MAX);
}
END_TEST

START_TEST(what_was_long_ago_is_forgiven)
{
	contend(2 * NS_PER_S);
	ck_assert_uint_gt(wait.rest.span, BACK_OFF_MIN);
	now = wait.rest.until + BACK_OFF_FORGIVEN * wait.rest.span;
	contend(BACK_OFF_MIN / 2);
	ck_assert_uint_eq(wait.rest.span, BACK_OFF_MIN);
}
END_TEST

START_TEST(a_yield_says_how_long_it_took)
{
	uint64_t start = clock_ns(), took = busy_wait_yield();

	ck_assert_uint_le(took, clock_ns() - start);
}
END_TEST

Suite *busy_wait_suite(void)
{
	Suite *suite = suite_create("util/busy_wait");
	TCase *tcase = tcase_create("core");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, a_guest_without_requests_is_never_looked_at);
	tcase_add_test(tcase, after_anything_new_it_looks_once_more);
	tcase_add_test(tcase, it_looks_as_long_as_answers_take);
	tcase_add_test(tcase, a_slow_disk_is_soon_not_looked_at);
	tcase_add_test(tcase, with_many_under_way_each_that_ends_is_a_reason_to_look_on);
	tcase_add_test(tcase, a_pause_of_the_guest_is_not_taken_for_a_slow_disk);
	tcase_add_test(tcase, it_rests_when_others_want_the_cpu);
	tcase_add_test(tcase, to_have_been_long_asleep_is_no_reason_to_rest);
	tcase_add_test(tcase, where_others_always_want_the_cpu_it_hardly_ever_yields);
	tcase_add_test(tcase, what_was_long_ago_is_forgiven);
	tcase_add_test(tcase, a_yield_says_how_long_it_took);
	return suite;
}
