/* A disk's rate and latency. The rates are so low that nothing which has to wait comes up while a test runs. */
#include "suites.h"

#include <errno.h>
#include <unistd.h>

#include "blk_fixture.h"
#include "util/clock.h"

/* Waits, is told until when, and is left in the queue. */
static void expect_put_off(void)
{
	not_before = 0;
	ck_assert_int_eq(serve(), -EAGAIN);
	ck_assert_uint_gt(not_before, clock_ns());
	ck_assert_uint_eq(answer(), UNTOUCHED);
}

START_TEST(requests_beyond_the_rate_wait_in_the_queue)
{
	virtio_blk_set_rate(&blk, 0, 2);
	request(VIRTIO_BLK_T_IN, 0, 512, W);
	request(VIRTIO_BLK_T_OUT, 0, 512, 0);
	offer_request(VIRTIO_BLK_T_IN, 5, 512, W);
	for (int i = 0; i < 3; i++)
		expect_put_off();
	ck_assert_uint_eq(disk.calls, 2);
	ck_assert_uint_eq(ring_used(&ring)->idx, 2);
	ck_assert_uint_eq(counter_get(&blk.stats.reads), 1);
	virtio_blk_set_rate(&blk, 0, 0);
	ck_assert_int_eq(serve(), 1);
	ck_assert_uint_eq(answer(), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(data()[0], 6);
	ck_assert_int_eq(serve(), 0);
}
END_TEST

START_TEST(bytes_beyond_the_rate_wait)
{
	virtio_blk_set_rate(&blk, 1024, 0);
	request(VIRTIO_BLK_T_OUT, 0, 1024, 0);
	offer_request(VIRTIO_BLK_T_OUT, 0, 512, 0);
	expect_put_off();
}
END_TEST

START_TEST(a_request_larger_than_the_rate_goes_and_is_paid_for)
{
	virtio_blk_set_rate(&blk, 1, 0);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 8192, W), VIRTIO_BLK_S_OK);
	offer_request(VIRTIO_BLK_T_IN, 0, 512, W);
	expect_put_off();
	ck_assert_uint_gt(not_before, clock_ns() + 8000 * NS_PER_S);
}
END_TEST

static const struct {
	uint32_t type, len;
	uint16_t flags;
} unlimited[] = {
	{VIRTIO_BLK_T_FLUSH, 0, 0},
	{VIRTIO_BLK_T_GET_ID, 20, W},
	{77, 512, W},
};

START_TEST(flushes_and_the_id_never_wait)
{
	virtio_blk_set_rate(&blk, 1, 1);
	request(VIRTIO_BLK_T_IN, 0, 4096, W);
	for (int i = 0; i < 5; i++)
		request(unlimited[_i].type, 0, unlimited[_i].len, unlimited[_i].flags);
}
END_TEST

static void put_range(uint32_t sectors)
{
	struct virtio_blk_discard_write_zeroes range = {.num_sectors = sectors};

	memcpy(data(), &range, sizeof(range));
}

START_TEST(a_discard_is_a_request_and_zeroes_are_bytes)
{
	virtio_blk_set_rate(&blk, 4096, 1000);
	put_range(SECTORS);
	for (int i = 0; i < 10; i++)
		ck_assert_uint_eq(request(VIRTIO_BLK_T_DISCARD, 0, 16, 0), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, 0), VIRTIO_BLK_S_OK);
	offer_request(VIRTIO_BLK_T_DISCARD, 0, 16, 0);
	expect_put_off();
	ck_assert_uint_gt(not_before, clock_ns() + 3 * NS_PER_S); /* 32 KiB at 4 a second, less the burst */
	virtio_blk_set_rate(&blk, 0, 1);
	ck_assert_int_eq(serve(), 1);
	offer_request(VIRTIO_BLK_T_DISCARD, 0, 16, 0);
	expect_put_off();
}
END_TEST

START_TEST(a_reset_is_no_way_around_the_rate)
{
	virtio_blk_set_rate(&blk, 0, 1);
	request(VIRTIO_BLK_T_IN, 0, 512, W);
	virtio_blk_ops.reset(&blk);
	offer_request(VIRTIO_BLK_T_IN, 0, 512, W);
	expect_put_off();
}
END_TEST

START_TEST(a_new_rate_counts_at_once)
{
	virtio_blk_set_rate(&blk, 1, 0);
	request(VIRTIO_BLK_T_IN, 0, 8192, W);
	offer_request(VIRTIO_BLK_T_IN, 0, 8192, W);
	expect_put_off();
	virtio_blk_set_rate(&blk, 2, 0);
	ck_assert_int_eq(serve(), 1);
	offer_request(VIRTIO_BLK_T_IN, 0, 8192, W);
	expect_put_off();
}
END_TEST

START_TEST(the_wait_is_counted_while_it_lasts_and_no_longer)
{
	uint64_t first, second;

	virtio_blk_set_rate(&blk, 0, 1);
	request(VIRTIO_BLK_T_IN, 0, 512, W);
	ck_assert_uint_eq(virtio_blk_throttled_ns(&blk), 0);
	offer_request(VIRTIO_BLK_T_IN, 0, 512, W);
	expect_put_off();
	usleep(2000);
	first = virtio_blk_throttled_ns(&blk);
	ck_assert_uint_ge(first, 2000000);
	expect_put_off(); /* the same wait */
	usleep(2000);
	ck_assert_uint_ge(virtio_blk_throttled_ns(&blk), first + 2000000);
	if (_i == 0) {
		virtio_blk_set_rate(&blk, 0, 0);
		ck_assert_int_eq(serve(), 1);
	} else {
		virtio_blk_ops.reset(&blk);
	}
	second = virtio_blk_throttled_ns(&blk);
	usleep(2000);
	ck_assert_uint_ge(second, first + 2000000);
	ck_assert_uint_eq(virtio_blk_throttled_ns(&blk), second);
}
END_TEST

START_TEST(latency_counts_every_answer_and_not_the_wait)
{
	virtio_blk_set_rate(&blk, 0, 1);
	request(VIRTIO_BLK_T_IN, 0, 512, W);
	request(VIRTIO_BLK_T_FLUSH, 0, 0, 0);
	request(77, 0, 512, W);
	offer_request(VIRTIO_BLK_T_IN, 0, 512, W);
	expect_put_off();
	ck_assert_uint_eq(histogram_count(&blk.stats.latency), 3);
	usleep(300000);
	virtio_blk_set_rate(&blk, 0, 0);
	ck_assert_int_eq(serve(), 1);
	ck_assert_uint_eq(histogram_count(&blk.stats.latency), 4);
	ck_assert_uint_gt(histogram_percentile(&blk.stats.latency, 500), 0);
	ck_assert_uint_lt(histogram_percentile(&blk.stats.latency, 500), 300000000);
}
END_TEST

TCase *virtio_blk_rate_tcase(void)
{
	TCase *tc = tcase_create("rate");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, requests_beyond_the_rate_wait_in_the_queue);
	tcase_add_test(tc, bytes_beyond_the_rate_wait);
	tcase_add_test(tc, a_request_larger_than_the_rate_goes_and_is_paid_for);
	tcase_add_loop_test(tc, flushes_and_the_id_never_wait, 0, ARRAY_SIZE(unlimited));
	tcase_add_test(tc, a_discard_is_a_request_and_zeroes_are_bytes);
	tcase_add_test(tc, a_reset_is_no_way_around_the_rate);
	tcase_add_test(tc, a_new_rate_counts_at_once);
	tcase_add_loop_test(tc, the_wait_is_counted_while_it_lasts_and_no_longer, 0, 2);
	tcase_add_test(tc, latency_counts_every_answer_and_not_the_wait);
	return tc;
}
