#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "mock_virtio_mmio.h"
#include "suites.h"

START_TEST(requests_are_served_and_raise_the_line_until_acknowledged)
{
	start();
	offer(3);
	offer(5);
	virtio_transport_serve(&mmio.transport);
	ck_assert_uint_eq(ring_used(&ring)->idx, 2);
	ck_assert_uint_eq(ring_used(&ring)->ring[1].id, 5);
	ck_assert_uint_eq(raises, 1);
	ck_assert(line);
	ck_assert_uint_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
	put(VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_CONFIG);
	ck_assert(line);
	put(VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
	ck_assert(!line);
	ck_assert_uint_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	virtio_transport_serve(&mmio.transport); /* nothing to do */
	ck_assert(!line);
}
END_TEST

/* A machine may take each set(true) for an edge. */
START_TEST(each_cause_raises_the_line_and_so_does_one_that_is_left)
{
	start();
	offer(0);
	virtio_transport_serve(&mmio.transport);
	offer(1);
	virtio_transport_serve(&mmio.transport);
	ck_assert_uint_eq(raises, 2);
	ring_offer(&ring, SIZE); /* a broken ring: the other cause */
	virtio_transport_serve(&mmio.transport);
	ck_assert_uint_eq(raises, 3);
	put(VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
	ck_assert_uint_eq(raises, 4);
	put(VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_CONFIG);
	ck_assert_uint_eq(raises, 4);
}
END_TEST

START_TEST(an_interrupt_during_an_acknowledge_is_not_lost)
{
	start();
	offer(0);
	virtio_transport_serve(&mmio.transport);
	overtaken = true;
	put(VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
	ck_assert_uint_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
	ck_assert(line);
}
END_TEST

static void offer_one_more(void)
{
	offer(7);
}

START_TEST(notifications_are_off_while_requests_are_served_and_none_is_lost)
{
	start();
	offer(0);
	device.when_empty = offer_one_more;
	virtio_transport_serve(&mmio.transport);
	ck_assert(device.quiet);
	ck_assert_uint_eq(ring_used(&ring)->idx, 2);
	ck_assert_uint_eq(ring_used(&ring)->flags, 0);
}
END_TEST

START_TEST(who_looks_again_is_not_rung_for_until_the_last_time)
{
	start();
	offer(0);
	virtio_transport_look(&mmio.transport);
	ck_assert_uint_eq(ring_used(&ring)->idx, 1);
	ck_assert(line);
	ck_assert_uint_eq(ring_used(&ring)->flags, VRING_USED_F_NO_NOTIFY);
	offer(1);
	device.when_empty = offer_one_more;
	virtio_transport_serve(&mmio.transport);
	ck_assert_uint_eq(ring_used(&ring)->idx, 3);
	ck_assert_uint_eq(ring_used(&ring)->flags, 0);
	ck_assert_uint_eq(mmio.transport.taken, 3);
}
END_TEST

START_TEST(a_driver_that_wants_no_interrupt_gets_none)
{
	start();
	ring_avail(&ring)->flags = VRING_AVAIL_F_NO_INTERRUPT;
	offer(0);
	virtio_transport_serve(&mmio.transport);
	ck_assert_uint_eq(ring_used(&ring)->idx, 1);
	ck_assert(!line);
}
END_TEST

START_TEST(a_queue_that_lies_needs_reset_and_is_served_no_more)
{
	start();
	offer(0);
	ring_offer(&ring, SIZE); /* a head that does not exist */
	virtio_transport_serve(&mmio.transport);
	ck_assert_uint_eq(get(VIRTIO_MMIO_STATUS), DRIVER_OK | NEEDS_RESET);
	ck_assert_uint_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG | VIRTIO_MMIO_INT_VRING);
	ck_assert(line);
	ck_assert_uint_eq(ring_used(&ring)->idx, 1); /* what was good was answered */
	device.served = 0;
	virtio_transport_serve(&mmio.transport);
	ck_assert_uint_eq(device.served, 0);
	put(VIRTIO_MMIO_STATUS, 0);
	ck_assert_uint_eq(get(VIRTIO_MMIO_STATUS), 0);
	ck_assert(!line);
	memset(ring_at(&ring, 0), 0, KIB(64));
	ring.avail_idx = 0;
	start();
	offer(1);
	virtio_transport_serve(&mmio.transport);
	ck_assert_uint_eq(ring_used(&ring)->idx, 1);
}
END_TEST

/* Each row is how far a driver got before it resets the device. */
static void reach(int state)
{
	if (state >= 1)
		put(VIRTIO_MMIO_STATUS, ACK_DRIVER);
	if (state >= 2)
		negotiate(VERSION_1);
	if (state >= 3)
		ready_queue(1, &ring.config);
	if (state >= 4)
		put(VIRTIO_MMIO_STATUS, DRIVER_OK);
	if (state >= 5) {
		offer(0);
		virtio_transport_serve(&mmio.transport);
	}
	if (state >= 6) {
		ring_offer(&ring, SIZE);
		virtio_transport_serve(&mmio.transport);
	}
	if (state >= 7)
		put(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_FAILED);
}

START_TEST(a_reset_works_in_every_state)
{
	const struct virtio_transport_state zero = {0};

	reach(_i);
	put(VIRTIO_MMIO_STATUS, 0);
	ck_assert_int_eq(memcmp(&mmio.transport.state, &zero, sizeof(zero)), 0);
	ck_assert_uint_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	ck_assert(!line);
	put(VIRTIO_MMIO_QUEUE_SEL, 1);
	ck_assert_uint_eq(get(VIRTIO_MMIO_QUEUE_READY), 0);
	ck_assert_uint_eq(device.resets, 1);
	device.served = 0;
	virtio_transport_serve(&mmio.transport);
	ck_assert_uint_eq(device.served, 0);
}
END_TEST

START_TEST(a_device_is_served_only_while_its_driver_is_ok)
{
	reach(_i);
	device.served = 0;
	virtio_transport_serve(&mmio.transport);
	ck_assert_uint_eq(
		device.served, _i == 4 || _i == 5); /* the queue that was never made ready is left alone */
}
END_TEST

START_TEST(a_driver_that_refills_for_ever_is_put_off)
{
	start();
	device.verdict = 1;
	virtio_transport_serve(&mmio.transport);
	ck_assert_uint_eq(device.served, VIRTIO_ROUNDS * VIRTIO_BATCH);
	ck_assert(rung());
}
END_TEST

START_TEST(a_burst_is_reported_once_and_a_long_one_in_between)
{
	const uint16_t told = VIRTIO_TELL * VIRTIO_BATCH;

	start();
	for (uint16_t i = 0; i < told - 1; i++)
		offer(i);
	virtio_transport_serve(&mmio.transport);
	ck_assert_uint_eq(raises, 1);
	for (unsigned i = 0; i < 2u * told - 1; i++)
		offer((uint16_t)i);
	virtio_transport_serve(&mmio.transport);
	ck_assert_uint_eq(raises, 1 + 2);
}
END_TEST

START_TEST(a_device_that_puts_a_request_off_says_until_when)
{
	start();
	offer(0);
	ck_assert_uint_eq(virtio_transport_serve(&mmio.transport), 0);
	put(VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
	offer(1);
	device.served = 0;
	device.put_off_from = 1;
	device.not_before = 12345;
	ck_assert_uint_eq(virtio_transport_serve(&mmio.transport), 12345);
	ck_assert_uint_eq(device.served, 1);
	ck_assert(!rung() && !line);
	/* It is no fault of the driver's, which need not notify: we come back by ourselves. */
	ck_assert_uint_eq(get(VIRTIO_MMIO_STATUS), DRIVER_OK);
	ck_assert_uint_eq(ring_used(&ring)->flags, VRING_USED_F_NO_NOTIFY);
	device.put_off_from = 0;
	ck_assert_uint_eq(virtio_transport_serve(&mmio.transport), 0);
	ck_assert_uint_eq(ring_used(&ring)->idx, 2);
	ck_assert_uint_eq(ring_used(&ring)->flags, 0);
}
END_TEST

START_TEST(what_was_done_before_one_is_put_off_is_told_the_driver)
{
	start();
	offer(0);
	offer(1);
	device.put_off_from = 2;
	device.not_before = 12345;
	ck_assert_uint_eq(virtio_transport_serve(&mmio.transport), 12345);
	ck_assert_uint_eq(ring_used(&ring)->idx, 1);
	ck_assert(line);
}
END_TEST

START_TEST(a_burst_costs_one_kick_and_one_interrupt)
{
	start_with(VERSION_1 | UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX);
	for (unsigned burst = 0; burst < 3; burst++) {
		uint16_t before = ring_used(&ring)->idx;

		/* The driver asks for an interrupt at the first answer, and kicks if the device asks for it. */
		*ring_used_event(&ring) = before;
		raises = 0;
		for (uint16_t i = 0; i < SIZE / 2; i++) {
			bool kick = *ring_avail_event(&ring) == ring.avail_idx;

			ck_assert(kick == (i == 0));
			offer(i);
		}
		ck_assert_uint_eq(virtio_transport_serve(&mmio.transport), 0);
		ck_assert_uint_eq(ring_used(&ring)->idx, before + SIZE / 2);
		ck_assert_uint_eq(raises, 1);
	}
}
END_TEST

/* A driver's whole start with both queues, and the same requests, heads 0 to count - 1, in both of them. */
static const struct vring_used *start_with_two_queues(uint16_t count)
{
	struct virtqueue_config second = ring.config;

	second.desc += KIB(32);
	second.avail += KIB(32);
	second.used += KIB(32);
	negotiate(VERSION_1);
	ready_queue(1, &ring.config);
	ready_queue(0, &second);
	put(VIRTIO_MMIO_STATUS, DRIVER_OK);
	doorbell_clear(&bell);
	for (uint16_t i = 0; i < count; i++)
		offer(i);
	memcpy(ring_at(&ring, second.desc), ring_at(&ring, RING_DESC), KIB(4));
	memcpy(ring_at(&ring, second.avail), ring_at(&ring, RING_AVAIL), KIB(1));
	return ring_at(&ring, second.used);
}

START_TEST(all_queues_are_served_and_told_of_at_once)
{
	const struct vring_used *used = start_with_two_queues(1);

	virtio_transport_serve(&mmio.transport);
	ck_assert_uint_eq(ring_used(&ring)->idx, 1);
	ck_assert_uint_eq(used->idx, 1);
	ck_assert_uint_eq(raises, 1);
}
END_TEST

START_TEST(queues_take_turns_where_the_device_has_no_room_for_both)
{
	start_with_two_queues(3);
	device.holds = 1;
	let_go = true;
	virtio_transport_serve(&mmio.transport);
	ck_assert_uint_eq(device.taken, 6);
	for (unsigned i = 1; i < device.taken; i++)
		ck_assert_uint_ne(device.taken_from[i], device.taken_from[i - 1]);
}
END_TEST

START_TEST(of_two_queues_that_wait_the_earlier_time_counts)
{
	start_with_two_queues(1);
	device.put_off_from = 1;
	device.not_before = 1000;
	device.not_before_step = _i ? 1 : -1;
	ck_assert_uint_eq(virtio_transport_serve(&mmio.transport), _i ? 1000 : 999);
}
END_TEST

START_TEST(a_device_that_is_full_is_asked_again_when_it_has_room)
{
	start();
	device.holds = 2;
	for (uint16_t i = 0; i < 5; i++)
		offer(i);
	ck_assert_uint_eq(virtio_transport_serve(&mmio.transport), 0);
	ck_assert_uint_eq(device.held, 2);
	ck_assert_uint_eq(ring_used(&ring)->idx, 0);
	ck_assert(!line && !rung());
	/* Nobody need notify: there is an answer to come. */
	ck_assert_uint_eq(ring_used(&ring)->flags, VRING_USED_F_NO_NOTIFY);
	let_go = true;
	ck_assert_uint_eq(virtio_transport_serve(&mmio.transport), 0);
	ck_assert_uint_eq(ring_used(&ring)->idx, 5);
	ck_assert(line);
	ck_assert_uint_eq(ring_used(&ring)->flags, 0);
}
END_TEST

/* By a reset, by QueueReady, and by whoever drains the device. */
START_TEST(what_was_taken_is_answered_before_its_queue_stops)
{
	start();
	device.holds = 2;
	offer(0);
	offer(1);
	virtio_transport_serve(&mmio.transport);
	ck_assert_uint_eq(ring_used(&ring)->idx, 0);
	put(VIRTIO_MMIO_QUEUE_SEL, 1);
	if (_i == 0)
		put(VIRTIO_MMIO_STATUS, 0);
	else if (_i == 1)
		put(VIRTIO_MMIO_QUEUE_READY, 0);
	else
		virtio_transport_drain(&mmio.transport);
	ck_assert_uint_eq(device.held, 0);
	ck_assert_uint_ge(device.waits, 1);
	ck_assert_uint_eq(ring_used(&ring)->idx, 2);
	ck_assert_uint_eq(get(VIRTIO_MMIO_QUEUE_READY), _i == 2);
	ck_assert(line == (_i != 0)); /* a driver that resets wants to hear nothing more */
}
END_TEST

static void *io_thread(void *arg)
{
	(void)arg;
	virtio_transport_serve(&mmio.transport);
	return NULL;
}

START_TEST(interrupts_and_notifications_do_not_wait_for_a_request)
{
	pthread_t io;

	start();
	device.wait = true;
	ck_assert_int_eq(pthread_create(&io, NULL, io_thread, NULL), 0);
	sem_wait(&device.arrived);
	/* The device holds its lock here: taking it would hang, and the test's timeout would end it. */
	ck_assert_uint_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	put(VIRTIO_MMIO_INTERRUPT_ACK, 3);
	put(VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	ck_assert(rung());
	device.wait = false;
	sem_post(&device.go);
	pthread_join(io, NULL);
}
END_TEST

static void *reset_thread(void *arg)
{
	(void)arg;
	put(VIRTIO_MMIO_STATUS, 0);
	return NULL;
}

START_TEST(a_reset_waits_for_one_batch_at_most)
{
	pthread_t io, vcpu;

	start();
	device.wait = true;
	device.verdict = 1; /* there is always one more */
	ck_assert_int_eq(pthread_create(&io, NULL, io_thread, NULL), 0);
	sem_wait(&device.arrived);
	ck_assert_int_eq(pthread_create(&vcpu, NULL, reset_thread, NULL), 0);
	/* The resetting vCPU waits for `lock` when it has `turn`. */
	while (pthread_mutex_trylock(&mmio.transport.turn) == 0) {
		pthread_mutex_unlock(&mmio.transport.turn);
		sched_yield();
	}
	for (unsigned i = 0; i < VIRTIO_ROUNDS * VIRTIO_BATCH; i++)
		sem_post(&device.go);
	pthread_join(vcpu, NULL);
	pthread_join(io, NULL);
	ck_assert_uint_eq(device.served, VIRTIO_BATCH);
	ck_assert_uint_eq(device.resets, 1);
}
END_TEST

TCase *virtio_serve_tcase(void)
{
	TCase *tc = tcase_create("serve");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, requests_are_served_and_raise_the_line_until_acknowledged);
	tcase_add_test(tc, each_cause_raises_the_line_and_so_does_one_that_is_left);
	tcase_add_test(tc, an_interrupt_during_an_acknowledge_is_not_lost);
	tcase_add_test(tc, notifications_are_off_while_requests_are_served_and_none_is_lost);
	tcase_add_test(tc, who_looks_again_is_not_rung_for_until_the_last_time);
	tcase_add_test(tc, a_driver_that_wants_no_interrupt_gets_none);
	tcase_add_test(tc, a_queue_that_lies_needs_reset_and_is_served_no_more);
	tcase_add_loop_test(tc, a_reset_works_in_every_state, 0, 8);
	tcase_add_loop_test(tc, a_device_is_served_only_while_its_driver_is_ok, 0, 8);
	tcase_add_test(tc, a_driver_that_refills_for_ever_is_put_off);
	tcase_add_test(tc, a_burst_is_reported_once_and_a_long_one_in_between);
	tcase_add_test(tc, a_device_that_puts_a_request_off_says_until_when);
	tcase_add_test(tc, what_was_done_before_one_is_put_off_is_told_the_driver);
	tcase_add_test(tc, a_burst_costs_one_kick_and_one_interrupt);
	tcase_add_test(tc, all_queues_are_served_and_told_of_at_once);
	tcase_add_test(tc, queues_take_turns_where_the_device_has_no_room_for_both);
	tcase_add_loop_test(tc, of_two_queues_that_wait_the_earlier_time_counts, 0, 2);
	tcase_add_test(tc, a_device_that_is_full_is_asked_again_when_it_has_room);
	tcase_add_loop_test(tc, what_was_taken_is_answered_before_its_queue_stops, 0, 3);
	tcase_add_test(tc, interrupts_and_notifications_do_not_wait_for_a_request);
	tcase_add_test(tc, a_reset_waits_for_one_batch_at_most);
	return tc;
}
