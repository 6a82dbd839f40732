/* Requests that the backend takes its time for: several at once, in any order, and who waits for them. */
#include "suites.h"

#include <errno.h>

#include "blk_fixture.h"

/* A read of one sector into a place of its own, in a chain that starts at descriptor `head`. */
static void offer_read(uint16_t head, uint64_t sector)
{
	struct virtio_blk_outhdr header = {.type = VIRTIO_BLK_T_IN, .sector = sector};

	memcpy(ring_at(&ring, HEADER + 16u * head), &header, sizeof(header));
	*(uint8_t *)ring_at(&ring, STATUS + head) = UNTOUCHED;
	ring_desc(&ring, RING_DESC, head, HEADER + 16u * head, 16, N, head + 1);
	ring_desc(&ring, RING_DESC, head + 1, DATA + 512u * head, 512, N | W, head + 2);
	ring_desc(&ring, RING_DESC, head + 2, STATUS + head, 1, W, 0);
	ring_offer(&ring, head);
}

static uint8_t status_of(uint16_t head)
{
	return *(uint8_t *)ring_at(&ring, STATUS + head);
}

static bool progress(bool wait)
{
	return virtio_blk_ops.progress(&blk, wait);
}

START_TEST(requests_are_kicked_together_and_answered_as_they_are_done)
{
	disk.hold = true;
	offer_read(0, 5);
	offer_read(3, 6);
	ck_assert_int_eq(take(), 1);
	ck_assert_int_eq(take(), 1);
	ck_assert_int_eq(take(), 0);
	ck_assert_uint_eq(disk.kicks, 0);
	ck_assert(!progress(false));
	ck_assert_uint_eq(disk.kicks, 1);
	ck_assert_uint_eq(ring_used(&ring)->idx, 0);
	ck_assert_uint_eq(status_of(0), UNTOUCHED);
	disk_finish(1);
	progress(false);
	ck_assert_uint_eq(ring_used(&ring)->idx, 1);
	ck_assert_uint_eq(ring_used(&ring)->ring[0].id, 0);
	ck_assert_uint_eq(status_of(0), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(status_of(3), UNTOUCHED);
	ck_assert_uint_eq(counter_get(&blk.stats.bytes_read), 512);
	disk_finish(1);
	progress(false);
	ck_assert_uint_eq(ring_used(&ring)->ring[1].id, 3);
	ck_assert_uint_eq(data()[512 * 3], 7);
}
END_TEST

START_TEST(a_later_request_may_overtake)
{
	struct block_request *first;

	disk.hold = true;
	offer_read(0, 5);
	offer_read(3, 6);
	take();
	take();
	progress(false);
	first = block_list_take(&disk.kicked);
	block_list_add(&disk.kicked, first); /* now it is the last */
	disk_finish(1);
	progress(false);
	ck_assert_uint_eq(ring_used(&ring)->ring[0].id, 3);
	ck_assert_uint_eq(status_of(3), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(status_of(0), UNTOUCHED);
}
END_TEST

START_TEST(who_waits_gets_all_answers)
{
	disk.hold = true;
	offer_read(0, 5);
	offer_read(3, 6);
	take();
	take();
	ck_assert(progress(true));
	ck_assert_uint_eq(ring_used(&ring)->idx, 2);
	ck_assert_uint_eq(status_of(0) | status_of(3), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(disk.under_way, 0);
	ck_assert(!progress(true)); /* and does not hang where there is nothing */
}
END_TEST

START_TEST(a_device_that_is_full_leaves_the_rest_in_the_queue)
{
	disk.hold = true;
	for (unsigned i = 0; i < BLOCK_REQUESTS_MAX; i++) {
		offer_read(0, 5);
		ck_assert_int_eq(take(), 1);
	}
	offer_read(3, 6);
	ck_assert_int_eq(take(), -EBUSY);
	ck_assert_int_eq(take(), -EBUSY);
	ck_assert(!progress(false));
	disk_finish(1);
	ck_assert(progress(false)); /* room */
	ck_assert_int_eq(take(), 1);
	ck_assert_int_eq(take(), -EBUSY);
	progress(true);
	ck_assert_uint_eq(disk.under_way_max, BLOCK_REQUESTS_MAX);
	ck_assert_uint_eq(ring_used(&ring)->idx, BLOCK_REQUESTS_MAX + 1);
	ck_assert_uint_eq(counter_get(&blk.stats.reads), BLOCK_REQUESTS_MAX + 1);
}
END_TEST

/* A read of len bytes in 254 pieces, all but the last of 256 KiB, through an indirect table; the mock moves nothing. */
static void offer_large_read(uint64_t len)
{
	const uint32_t piece = KIB(256);

	disk.block.size = GIB(1);
	disk.fail = -EIO;
	put_header(VIRTIO_BLK_T_IN, 0);
	ring_desc(&ring, RING_TABLE, 0, HEADER, 16, N, 1);
	for (uint16_t i = 1; i < 254; i++)
		ring_desc(&ring, RING_TABLE, i, 0, piece, N | W, i + 1);
	ring_desc(&ring, RING_TABLE, 254, 0, (uint32_t)(len - 253 * piece), N | W, 255);
	ring_desc(&ring, RING_TABLE, 255, STATUS, 1, W, 0);
	ring_desc(&ring, RING_DESC, 0, RING_TABLE, 256 * 16, VRING_DESC_F_INDIRECT, 0);
	ring_offer(&ring, 0);
}

START_TEST(a_transfer_has_64_mib_at_most)
{
	offer_large_read(MIB(64));
	ck_assert_int_eq(serve(), 1);
	ck_assert_uint_eq(disk.calls, 1);
	offer_large_read(MIB(64) + 512);
	ck_assert_int_eq(serve(), 1);
	ck_assert_uint_eq(answer(), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(disk.calls, 1);
}
END_TEST

/* Nobody who ends the run waits for more than that, and one request. */
START_TEST(no_request_is_taken_while_64_mib_are_under_way)
{
	disk.hold = true;
	offer_large_read(MIB(64));
	ck_assert_int_eq(take(), 1);
	offer_read(3, 6);
	ck_assert_int_eq(take(), -EBUSY);
	ck_assert(!progress(false));
	ck_assert_int_eq(take(), -EBUSY);
	disk_finish(1);
	ck_assert(progress(false)); /* room */
	ck_assert_int_eq(take(), 1);
	offer_large_read(MIB(64) - 512);
	ck_assert_int_eq(take(), 1);
	offer_read(3, 6);
	ck_assert_int_eq(take(), -EBUSY); /* the two together */
	progress(true);
	ck_assert_uint_eq(disk.under_way, 0);
	ck_assert_int_eq(take(), 1);
}
END_TEST

/* A discard of two ranges by a driver without FLUSH: three parts, one after another. */
START_TEST(the_parts_of_a_request_follow_each_other)
{
	const struct virtio_blk_discard_write_zeroes ranges[] = {{8, 4, 0}, {32, 1, 0}};

	virtio_blk_ops.negotiated(&blk, BIT(VIRTIO_BLK_F_DISCARD));
	disk.hold = true;
	memcpy(data(), ranges, sizeof(ranges));
	offer_request(VIRTIO_BLK_T_DISCARD, 0, sizeof(ranges), 0);
	ck_assert_int_eq(take(), 1);
	for (unsigned part = 1; part <= 3; part++) {
		ck_assert_uint_eq(disk.under_way, 1);
		ck_assert_uint_eq(answer(), UNTOUCHED);
		progress(false);
		disk_finish(1);
		ck_assert_uint_eq(disk.discards, MIN(part, 2u));
		ck_assert_uint_eq(disk.flushes, part == 3);
		progress(false);
	}
	ck_assert_uint_eq(answer(), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(disk.under_way, 0);
}
END_TEST

START_TEST(a_part_that_fails_is_the_last)
{
	const struct virtio_blk_discard_write_zeroes ranges[] = {{8, 4, 0}, {32, 1, 0}};

	memcpy(data(), ranges, sizeof(ranges));
	disk.fail = -EIO;
	ck_assert_uint_eq(request(VIRTIO_BLK_T_DISCARD, 0, sizeof(ranges), 0), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(disk.discards, 1);
}
END_TEST

/* What is answered is what was taken, whatever the guest writes over it meanwhile. */
START_TEST(the_driver_cannot_change_a_request_that_was_taken)
{
	disk.hold = true;
	offer_read(0, 5);
	take();
	progress(false);
	put_header(VIRTIO_BLK_T_OUT, 7);
	ring_desc(&ring, RING_DESC, 0, HOLE, 16, N, 7);
	ring_desc(&ring, RING_DESC, 1, HOLE, 4096, N, 7);
	ring_desc(&ring, RING_DESC, 2, HOLE, 1, W, 0);
	progress(true);
	ck_assert_uint_eq(data()[0], 6);
	ck_assert_uint_eq(status_of(0), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(used_len(), 513);
}
END_TEST

START_TEST(a_queue_a_cpu_is_offered_where_there_are_several)
{
	struct virtio_blk other;

	ck_assert(!(features() & BIT(VIRTIO_BLK_F_MQ)));
	ck_assert_int_eq(virtio_blk_init(&other, &disk.block, "", 3), 0);
	ck_assert(virtio_blk_ops.features(&other) & BIT(VIRTIO_BLK_F_MQ));
	ck_assert_uint_eq(
		virtio_blk_ops.config_read(&other, offsetof(struct virtio_blk_config, num_queues), 2), 3);
	virtio_blk_fini(&other);
}
END_TEST

/* Another queue's request goes, if the rate is not about it, while the wait of the first is counted on. */
START_TEST(a_queue_that_waits_for_the_rate_holds_no_other_one_up)
{
	static struct guest_ring second;
	struct virtqueue other;

	virtio_blk_set_rate(&blk, 0, 1);
	request(VIRTIO_BLK_T_IN, 0, 512, W);
	offer_request(VIRTIO_BLK_T_IN, 0, 512, W);
	ck_assert_int_eq(take(), -EAGAIN);
	ring_init(&second, SIZE);
	ck_assert_int_eq(virtqueue_start(&other, &second.mem, &second.config, BIT(28), SIZE), 0);
	memcpy(ring_at(&second, HEADER), &(struct virtio_blk_outhdr){.type = VIRTIO_BLK_T_FLUSH}, 16);
	ring_desc(&second, RING_DESC, 0, HEADER, 16, N, 1);
	ring_desc(&second, RING_DESC, 1, STATUS, 1, W, 0);
	ring_offer(&second, 0);
	ck_assert_int_eq(virtio_blk_ops.take(&blk, 1, &other, &second.mem, &not_before), 1);
	progress(true);
	ck_assert_uint_eq(ring_used(&second)->idx, 1);
	ck_assert_uint_eq(disk.flushes, 1);
	ck_assert_int_lt(atomic_load(&blk.stats.throttled), 0); /* still counted */
	virtio_blk_set_rate(&blk, 0, 0);
	ck_assert_int_eq(serve(), 1);
	ck_assert_int_ge(atomic_load(&blk.stats.throttled), 0);
	ring_fini(&second);
}
END_TEST

TCase *virtio_blk_async_tcase(void)
{
	TCase *tc = tcase_create("async");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, requests_are_kicked_together_and_answered_as_they_are_done);
	tcase_add_test(tc, a_later_request_may_overtake);
	tcase_add_test(tc, who_waits_gets_all_answers);
	tcase_add_test(tc, a_device_that_is_full_leaves_the_rest_in_the_queue);
	tcase_add_test(tc, a_transfer_has_64_mib_at_most);
	tcase_add_test(tc, no_request_is_taken_while_64_mib_are_under_way);
	tcase_add_test(tc, the_parts_of_a_request_follow_each_other);
	tcase_add_test(tc, a_part_that_fails_is_the_last);
	tcase_add_test(tc, the_driver_cannot_change_a_request_that_was_taken);
	tcase_add_test(tc, a_queue_a_cpu_is_offered_where_there_are_several);
	tcase_add_test(tc, a_queue_that_waits_for_the_rate_holds_no_other_one_up);
	return tc;
}
