#include <check.h>
#include <errno.h>
#include <string.h>

#include "mock_virtio_mmio.h"
#include "suites.h"

START_TEST(identification_registers)
{
	ck_assert_uint_eq(get(VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	ck_assert_uint_eq(get(VIRTIO_MMIO_VERSION), 2);
	ck_assert_uint_eq(get(VIRTIO_MMIO_DEVICE_ID), 42);
	ck_assert_uint_eq(get(VIRTIO_MMIO_VENDOR_ID), 0x47444f4c);
	ck_assert_uint_eq(get(VIRTIO_MMIO_CONFIG_GENERATION), 0);
	for (uint64_t at = VIRTIO_MMIO_SHM_LEN_LOW; at <= VIRTIO_MMIO_SHM_BASE_HIGH; at += 4)
		ck_assert_uint_eq(get(at), UINT32_MAX);
	put(VIRTIO_MMIO_MAGIC_VALUE, 0);
	ck_assert_uint_eq(get(VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
}
END_TEST

START_TEST(features_are_offered_in_two_words)
{
	uint64_t offered = DEVICE_BITS | TRANSPORT;

	ck_assert_uint_eq(get(VIRTIO_MMIO_DEVICE_FEATURES), (uint32_t)offered);
	put(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	ck_assert_uint_eq(get(VIRTIO_MMIO_DEVICE_FEATURES), offered >> 32);
	put(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 2);
	ck_assert_uint_eq(get(VIRTIO_MMIO_DEVICE_FEATURES), 0);
	put(VIRTIO_MMIO_DEVICE_FEATURES_SEL, UINT32_MAX);
	ck_assert_uint_eq(get(VIRTIO_MMIO_DEVICE_FEATURES), 0);
}
END_TEST

START_TEST(registers_answer_to_aligned_32_bits_only)
{
	static const unsigned sizes[] = {1, 2, 8};

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		ck_assert_uint_eq(virtio_mmio_bus_ops.read(&mmio, 0, sizes[i]), 0);
		virtio_mmio_bus_ops.write(&mmio, VIRTIO_MMIO_STATUS, sizes[i], 1);
		ck_assert_uint_eq(get(VIRTIO_MMIO_STATUS), 0);
	}
	ck_assert_uint_eq(get(2), 0);
	virtio_mmio_bus_ops.write(&mmio, VIRTIO_MMIO_QUEUE_NOTIFY, 2, 0);
	ck_assert(!rung());
	ck_assert_uint_eq(virtio_mmio_bus_ops.read(&mmio, VIRTIO_MMIO_CONFIG - 4, 8), 0);
}
END_TEST

START_TEST(the_configuration_space_takes_any_size)
{
	for (unsigned i = 0; i < sizeof(device.space); i++)
		device.space[i] = (uint8_t)(i + 1);
	ck_assert_uint_eq(virtio_mmio_bus_ops.read(&mmio, VIRTIO_MMIO_CONFIG, 1), 1);
	ck_assert_uint_eq(virtio_mmio_bus_ops.read(&mmio, VIRTIO_MMIO_CONFIG + 3, 2), 0x0504);
	ck_assert_uint_eq(virtio_mmio_bus_ops.read(&mmio, VIRTIO_MMIO_CONFIG + 8, 8), 0x100f0e0d0c0b0a09);
	virtio_mmio_bus_ops.write(&mmio, VIRTIO_MMIO_CONFIG + 5, 2, 0x1234);
	ck_assert_uint_eq(device.written_offset, 5);
	ck_assert_uint_eq(device.written_size, 2);
	ck_assert_uint_eq(device.written_value, 0x1234);
}
END_TEST

START_TEST(a_driver_that_follows_the_rules_gets_through)
{
	put(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	ck_assert_uint_eq(get(VIRTIO_MMIO_STATUS), VIRTIO_CONFIG_S_ACKNOWLEDGE);
	negotiate(VERSION_1 | 1u << 5);
	ck_assert_uint_eq(get(VIRTIO_MMIO_STATUS), FEATURES_OK);
	ck_assert_uint_eq(device.negotiated, VERSION_1 | 1u << 5);
	accept_features(0); /* too late */
	ck_assert_uint_eq(mmio.transport.state.driver_features, VERSION_1 | 1u << 5);
	put(VIRTIO_MMIO_QUEUE_SEL, 1);
	ck_assert_uint_eq(get(VIRTIO_MMIO_QUEUE_NUM_MAX), SIZE);
	ck_assert_uint_eq(get(VIRTIO_MMIO_QUEUE_READY), 0);
	ready_queue(1, &ring.config);
	ck_assert_uint_eq(get(VIRTIO_MMIO_QUEUE_READY), 1);
	put(VIRTIO_MMIO_QUEUE_SEL, 0);
	ck_assert_uint_eq(get(VIRTIO_MMIO_QUEUE_READY), 0);
	put(VIRTIO_MMIO_STATUS, DRIVER_OK);
	ck_assert_uint_eq(get(VIRTIO_MMIO_STATUS), DRIVER_OK);
	ck_assert(rung()); /* buffers may have been there before */
}
END_TEST

static const struct {
	const char *what;
	uint64_t features;
	uint32_t before;
} refusals[] = {
	{"no VERSION_1", 1u << 5, ACK_DRIVER},
	{"nothing accepted", 0, ACK_DRIVER},
	{"a bit that is not offered", VERSION_1 | 1u << 6, ACK_DRIVER},
	{"a high bit that is not offered", VERSION_1 | UINT64_C(1) << 34, ACK_DRIVER},
	{"before DRIVER", VERSION_1, VIRTIO_CONFIG_S_ACKNOWLEDGE},
	{"before ACKNOWLEDGE", VERSION_1, VIRTIO_CONFIG_S_DRIVER},
};

START_TEST(features_ok_is_refused)
{
	put(VIRTIO_MMIO_STATUS, refusals[_i].before);
	accept_features(refusals[_i].features);
	put(VIRTIO_MMIO_STATUS,
		refusals[_i].before | VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
	ck_assert_msg(get(VIRTIO_MMIO_STATUS) == refusals[_i].before, "%s", refusals[_i].what);
	ck_assert_uint_eq(device.negotiated, 0);
}
END_TEST

START_TEST(status_bits_only_accumulate_and_the_device_s_own_cannot_be_set)
{
	put(VIRTIO_MMIO_STATUS, ACK_DRIVER);
	put(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	ck_assert_uint_eq(get(VIRTIO_MMIO_STATUS), ACK_DRIVER);
	put(VIRTIO_MMIO_STATUS, 0xffffff00 | NEEDS_RESET | 0x30);
	ck_assert_uint_eq(get(VIRTIO_MMIO_STATUS), ACK_DRIVER);
}
END_TEST

START_TEST(queues_are_set_up_between_features_ok_and_ready)
{
	ready_queue(1, &ring.config); /* too early */
	ck_assert_uint_eq(get(VIRTIO_MMIO_QUEUE_READY), 0);
	ck_assert_uint_eq(mmio.transport.queues[1].config.size, 0);
	ck_assert_uint_eq(mmio.transport.queues[1].config.desc, 0);
	negotiate(VERSION_1);
	ready_queue(1, &ring.config);
	put(VIRTIO_MMIO_QUEUE_NUM, 4); /* too late */
	put(VIRTIO_MMIO_QUEUE_DESC_LOW, 0);
	put(VIRTIO_MMIO_QUEUE_USED_HIGH, 1);
	ck_assert_uint_eq(mmio.transport.queues[1].config.size, SIZE);
	ck_assert_uint_eq(mmio.transport.queues[1].config.desc, RING_DESC);
	ck_assert_uint_eq(mmio.transport.queues[1].config.used, RING_USED);
	put(VIRTIO_MMIO_QUEUE_READY, 0); /* stopped, it can be changed again */
	ck_assert_uint_eq(get(VIRTIO_MMIO_QUEUE_READY), 0);
	put(VIRTIO_MMIO_QUEUE_DESC_LOW, 0x8000);
	put(VIRTIO_MMIO_QUEUE_DESC_HIGH, 0x12);
	ck_assert_uint_eq(mmio.transport.queues[1].config.desc, 0x1200008000);
}
END_TEST

START_TEST(queues_that_do_not_exist_read_0_and_ignore_writes)
{
	static const uint32_t indices[] = {2, VIRTIO_QUEUES_MAX, 0x80000000, UINT32_MAX};
	struct virtio_transport_queue before[2];

	negotiate(VERSION_1);
	for (unsigned i = 0; i < ARRAY_SIZE(indices); i++) {
		put(VIRTIO_MMIO_QUEUE_SEL, indices[i]);
		ck_assert_uint_eq(get(VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
		ck_assert_uint_eq(get(VIRTIO_MMIO_QUEUE_READY), 0);
		memcpy(before, mmio.transport.queues, sizeof(before));
		ready_queue(indices[i], &ring.config);
		ck_assert_int_eq(memcmp(before, mmio.transport.queues, sizeof(before)), 0);
		put(VIRTIO_MMIO_QUEUE_NOTIFY, indices[i]);
	}
	ck_assert_uint_eq(get(VIRTIO_MMIO_STATUS), FEATURES_OK);
	ck_assert(!rung());
}
END_TEST

START_TEST(a_notification_of_any_queue_rings_the_doorbell)
{
	put(VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	ck_assert(rung());
	ck_assert_uint_eq(mmio.transport.stats.notifications, 1);
}
END_TEST

START_TEST(a_bad_ring_needs_reset_and_is_not_ready)
{
	struct virtqueue_config bad = ring.config;

	if (_i == 0)
		bad.size = 2 * SIZE;
	else if (_i == 1)
		bad.used = HOLE;
	else
		bad.desc |= UINT64_C(1) << 32;
	negotiate(VERSION_1);
	ready_queue(0, &bad);
	ck_assert_uint_eq(get(VIRTIO_MMIO_QUEUE_READY), 0);
	ck_assert_uint_eq(get(VIRTIO_MMIO_STATUS), FEATURES_OK | NEEDS_RESET);
	ck_assert(!line); /* 2.1.2: no notification before DRIVER_OK */
	ck_assert_uint_eq(mmio.transport.stats.broken, 1);
}
END_TEST

START_TEST(a_device_with_too_many_queues_is_refused)
{
	struct virtio_device_ops ops = device_ops;
	struct virtio_mmio other;
	struct virtio_transport_config config = {.mem = &ring.mem, .ops = &ops, .doorbell = &bell};

	config.queue_count = VIRTIO_QUEUES_MAX + 1;
	ck_assert_int_eq(virtio_mmio_init(&other, &config, (struct irq_line){0}), -EINVAL);
	config.queue_count = 0;
	ck_assert_int_eq(virtio_mmio_init(&other, &config, (struct irq_line){0}), -EINVAL);
	config.queue_count = 1;
	ops.queue_size_max = 2 * VIRTQUEUE_SIZE_MAX;
	ck_assert_int_eq(virtio_mmio_init(&other, &config, (struct irq_line){0}), -EINVAL);
}
END_TEST

Suite *virtio_mmio_suite(void)
{
	Suite *suite = suite_create("virtio_mmio");
	TCase *tc = tcase_create("registers");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, identification_registers);
	tcase_add_test(tc, features_are_offered_in_two_words);
	tcase_add_test(tc, registers_answer_to_aligned_32_bits_only);
	tcase_add_test(tc, the_configuration_space_takes_any_size);
	tcase_add_test(tc, a_driver_that_follows_the_rules_gets_through);
	tcase_add_loop_test(tc, features_ok_is_refused, 0, ARRAY_SIZE(refusals));
	tcase_add_test(tc, status_bits_only_accumulate_and_the_device_s_own_cannot_be_set);
	tcase_add_test(tc, queues_are_set_up_between_features_ok_and_ready);
	tcase_add_test(tc, queues_that_do_not_exist_read_0_and_ignore_writes);
	tcase_add_test(tc, a_notification_of_any_queue_rings_the_doorbell);
	tcase_add_loop_test(tc, a_bad_ring_needs_reset_and_is_not_ready, 0, 3);
	tcase_add_test(tc, a_device_with_too_many_queues_is_refused);
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, virtio_serve_tcase());
	return suite;
}
