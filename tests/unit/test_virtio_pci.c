/* virtio-pci, its configuration space and registers, against virtio 1.2, 4.1. */
#include <check.h>
#include <errno.h>

#include "mock_virtio_pci.h"
#include "suites.h"

/* 4.1.2, and 4.1.2.1 for devices that are modern alone. */
START_TEST(a_function_says_that_it_is_a_modern_virtio_device)
{
	ck_assert_uint_eq(config_get(PCI_VENDOR_ID, 4), (0x1040 + 42) << 16 | 0x1af4);
	ck_assert_uint_ge(config_get(PCI_REVISION_ID, 1), 1);
	ck_assert_uint_ge(config_get(PCI_SUBSYSTEM_ID, 2), 0x40);
	ck_assert_uint_eq(config_get(PCI_CLASS_REVISION, 4) >> 8, CLASS);
	ck_assert_uint_eq(config_get(PCI_BASE_ADDRESS_0, 4), BASE);
}
END_TEST

/* 4.1.4: a driver finds all it needs by walking the list. */
START_TEST(capabilities_tell_where_the_registers_are)
{
	static const struct {
		unsigned type;
		uint32_t offset, length, size;
	} parts[] = {
		{VIRTIO_PCI_CAP_COMMON_CFG, 0, 56, 16},
		{VIRTIO_PCI_CAP_ISR_CFG, ISR, 1, 16},
		{VIRTIO_PCI_CAP_DEVICE_CFG, DEVICE, 0x100, 16},
		{VIRTIO_PCI_CAP_NOTIFY_CFG, DOORBELL, 2, 20},
		{VIRTIO_PCI_CAP_PCI_CFG, 0, 0, 20},
	};
	unsigned msix = find_capability(0);

	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
		unsigned at = find_capability(parts[i].type);

		ck_assert_uint_eq(config_get(at + VIRTIO_PCI_CAP_LEN, 1), parts[i].size);
		ck_assert_uint_eq(config_get(at + VIRTIO_PCI_CAP_BAR, 1), 0);
		ck_assert_uint_eq(config_get(at + VIRTIO_PCI_CAP_OFFSET, 4), parts[i].offset);
		ck_assert_uint_eq(config_get(at + VIRTIO_PCI_CAP_LENGTH, 4), parts[i].length);
	}
	/* One doorbell, whatever queue_notify_off says. */
	ck_assert_uint_eq(
		config_get(find_capability(VIRTIO_PCI_CAP_NOTIFY_CFG) + sizeof(struct virtio_pci_cap), 4), 0);
	ck_assert_uint_eq(config_get(msix + PCI_MSIX_FLAGS, 2), 2); /* three vectors */
	ck_assert_uint_eq(config_get(msix + PCI_MSIX_TABLE, 4), TABLE);
	ck_assert_uint_eq(config_get(msix + PCI_MSIX_PBA, 4), PENDING);
}
END_TEST

START_TEST(a_driver_that_follows_the_rules_gets_through)
{
	uint64_t offered = DEVICE_BITS | TRANSPORT;

	ck_assert_uint_eq(get(NUMQ), 2);
	ck_assert_uint_eq(get(STATUS), 0);
	for (uint32_t word = 0; word < 3; word++) {
		put(DFSELECT, word);
		ck_assert_uint_eq(get(DFSELECT), word);
		ck_assert_uint_eq(get(DF), word < 2 ? (uint32_t)(offered >> (32 * word)) : 0);
	}
	negotiate(VERSION_1 | 1u << 5);
	ck_assert_uint_eq(get(STATUS), FEATURES_OK);
	ck_assert_uint_eq(device.negotiated, VERSION_1 | 1u << 5);
	put(GFSELECT, 0);
	ck_assert_uint_eq(get(GF), 1u << 5);
	put(GFSELECT, 1);
	ck_assert_uint_eq(get(GF), VERSION_1 >> 32);
	put(GFSELECT, 2);
	ck_assert_uint_eq(get(GF), 0);
	ready_queue(1, &ring.config);
	ck_assert_uint_eq(get(Q_ENABLE), 1);
	put(Q_SELECT, 0);
	ck_assert_uint_eq(get(Q_ENABLE), 0);
	put(STATUS, DRIVER_OK);
	ck_assert_uint_eq(get(STATUS), DRIVER_OK);
	ck_assert(rung()); /* buffers may have been there before */
	offer(0);
	virtio_transport_serve(&pci.transport);
	ck_assert_uint_eq(ring_used(&ring)->idx, 1);
}
END_TEST

START_TEST(features_that_are_not_offered_are_refused)
{
	negotiate(VERSION_1 | 1u << 6);
	ck_assert_uint_eq(get(STATUS), ACK_DRIVER);
	ck_assert_uint_eq(device.negotiated, 0);
}
END_TEST

START_TEST(a_queues_fields_read_back)
{
	static const unsigned addresses[] = {
		VIRTIO_PCI_COMMON_Q_DESCLO, VIRTIO_PCI_COMMON_Q_AVAILLO, VIRTIO_PCI_COMMON_Q_USEDLO};
	const struct virtqueue_config *config = &pci.transport.queues[1].config;

	negotiate(VERSION_1);
	put(Q_SELECT, 1);
	ck_assert_uint_eq(get(Q_SELECT), 1);
	for (unsigned i = 0; i < 3; i++)
		put_address(addresses[i], 0x1122334455660000 + i);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(get(addresses[i], 4), 0x55660000 + i);
		ck_assert_uint_eq(get(addresses[i] + 4, 4), 0x11223344);
	}
	ck_assert_uint_eq(config->desc, 0x1122334455660000);
	ck_assert_uint_eq(config->avail, 0x1122334455660001);
	ck_assert_uint_eq(config->used, 0x1122334455660002);
	ck_assert_uint_eq(get(VIRTIO_PCI_COMMON_Q_NOFF, 2), 0);
	put(Q_SELECT, 0);
	ck_assert_uint_eq(get(addresses[0], 4), 0);
}
END_TEST

START_TEST(a_queue_has_the_largest_size_unless_the_driver_wants_less)
{
	struct virtqueue_config small = ring.config;

	put(Q_SELECT, 1);
	ck_assert_uint_eq(get(Q_SIZE), SIZE);
	negotiate(VERSION_1);
	put_address(VIRTIO_PCI_COMMON_Q_DESCLO, ring.config.desc);
	put_address(VIRTIO_PCI_COMMON_Q_AVAILLO, ring.config.avail);
	put_address(VIRTIO_PCI_COMMON_Q_USEDLO, ring.config.used);
	put(Q_ENABLE, 1);
	ck_assert_uint_eq(get(Q_ENABLE), 1);
	ck_assert_uint_eq(pci.transport.queues[1].queue.size, SIZE);
	small.size = 8;
	ready_queue(0, &small);
	ck_assert_uint_eq(get(Q_ENABLE), 1);
	ck_assert_uint_eq(get(Q_SIZE), 8);
	ck_assert_uint_eq(pci.transport.queues[0].queue.size, 8);
}
END_TEST

START_TEST(a_queue_is_set_up_between_features_ok_and_enable)
{
	ready_queue(1, &ring.config); /* too early */
	ck_assert_uint_eq(get(Q_ENABLE), 0);
	ck_assert_uint_eq(get(VIRTIO_PCI_COMMON_Q_DESCLO, 4), 0);
	negotiate(VERSION_1);
	ready_queue(1, &ring.config);
	put(Q_SIZE, 4); /* too late */
	put_address(VIRTIO_PCI_COMMON_Q_DESCLO, 0);
	put(Q_ENABLE, 0); /* and no driver does so */
	ck_assert_uint_eq(get(Q_ENABLE), 1);
	ck_assert_uint_eq(get(Q_SIZE), SIZE);
	ck_assert_uint_eq(get(VIRTIO_PCI_COMMON_Q_DESCLO, 4), RING_DESC);
	put(Q_SELECT, 0);
	put(Q_ENABLE, 2);
	put(Q_ENABLE, 0xffff);
	ck_assert_uint_eq(get(Q_ENABLE), 0);
}
END_TEST

START_TEST(queues_that_do_not_exist_read_0_and_take_nothing)
{
	static const unsigned indices[] = {2, 63, 64, 0x8000, 0xffff};
	struct virtio_transport_queue before[2];
	uint16_t vectors[VIRTIO_QUEUES_MAX];

	negotiate(VERSION_1);
	memcpy(before, pci.transport.queues, sizeof(before));
	memcpy(vectors, pci.queue_vectors, sizeof(vectors));
	for (unsigned i = 0; i < ARRAY_SIZE(indices); i++) {
		ready_queue(indices[i], &ring.config);
		put(Q_VECTOR, 1);
		for (unsigned offset = VIRTIO_PCI_COMMON_Q_SIZE; offset < VIRTIO_PCI_COMMON_Q_DESCLO;
			offset += 2)
			ck_assert_uint_eq(get(offset, 2), 0);
		ck_assert_uint_eq(get(VIRTIO_PCI_COMMON_Q_USEDLO, 4), 0);
		put(DOORBELL, 2, indices[i]);
	}
	ck_assert_mem_eq(pci.transport.queues, before, sizeof(before));
	ck_assert_mem_eq(pci.queue_vectors, vectors, sizeof(vectors));
	ck_assert_uint_eq(get(STATUS), FEATURES_OK);
	ck_assert(!rung());
}
END_TEST

/* 4.1.3.1: each field by its own width, and 64 bits by halves. */
START_TEST(fields_answer_to_their_widths_only)
{
	static const uint8_t widths[] = {4, 4, 4, 4, 2, 2, 1, 1, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4};
	unsigned at = 0;

	start(2, 1, 0);
	put(Q_SELECT, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(widths); at += widths[i++]) {
		for (unsigned offset = at; offset < at + widths[i]; offset++) {
			for (unsigned size = 1; size <= 8; size *= 2) {
				if (offset == at && size == widths[i])
					continue;
				ck_assert_uint_eq(get(offset, size), 0);
				put(offset, size, 0);
			}
		}
	}
	ck_assert_uint_eq(at, sizeof(struct virtio_pci_common_cfg));
	ck_assert_uint_eq(get(STATUS), DRIVER_OK);
	ck_assert_uint_eq(get(CONFIG_V), 2);
	ck_assert_uint_eq(get(Q_VECTOR), 0);
	ck_assert_uint_eq(get(Q_SELECT), 1);
}
END_TEST

START_TEST(what_lies_between_the_parts_reads_0_and_takes_nothing)
{
	static const unsigned offsets[] = {
		56, 0xfc, ISR + 1, DEVICE - 4, DEVICE + 0x100, DOORBELL, DOORBELL + 4, TABLE - 8, 0x3ff8};

	for (unsigned i = 0; i < ARRAY_SIZE(offsets); i++)
		for (unsigned size = 1; size <= 8; size *= 2)
			ck_assert_uint_eq(get(offsets[i], size), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(offsets); i++)
		for (unsigned size = 1; size <= 8; size *= 2)
			if (offsets[i] != DOORBELL)
				put(offsets[i], size, UINT64_MAX);
	put(DOORBELL + 1, 1, 0);
	put(PENDING, 8, UINT64_MAX);
	ck_assert_uint_eq(get(PENDING, 8), 0);
	ck_assert_uint_eq(device.written_size, 0);
	ck_assert(!rung());
}
END_TEST

START_TEST(a_notification_of_any_queue_rings_the_doorbell)
{
	put(DOORBELL, 2, 1);
	ck_assert(rung());
	ck_assert_uint_eq(pci.transport.stats.notifications, 1);
}
END_TEST

START_TEST(the_configuration_space_takes_any_size)
{
	for (unsigned i = 0; i < sizeof(device.space); i++)
		device.space[i] = (uint8_t)(i + 1);
	ck_assert_uint_eq(get(DEVICE, 1), 1);
	ck_assert_uint_eq(get(DEVICE + 3, 2), 0x0504);
	ck_assert_uint_eq(get(DEVICE + 8, 8), 0x100f0e0d0c0b0a09);
	ck_assert_uint_eq(get(DEVICE + 0xff, 1), 0);
	put(DEVICE + 5, 2, 0x1234);
	ck_assert_uint_eq(device.written_offset, 5);
	ck_assert_uint_eq(device.written_size, 2);
	ck_assert_uint_eq(device.written_value, 0x1234);
	put(DEVICE + 0xfc, 8, 0); /* across its end */
	ck_assert_uint_eq(device.written_offset, 5);
	ck_assert_uint_eq(get(VIRTIO_PCI_COMMON_CFGGENERATION, 1), 0);
}
END_TEST

START_TEST(a_bad_ring_needs_reset_and_is_not_enabled)
{
	struct virtqueue_config bad = ring.config;

	if (_i == 0)
		bad.size = 2 * SIZE;
	else if (_i == 1)
		bad.size = 3;
	else if (_i == 2)
		bad.used = HOLE;
	else
		bad.desc |= UINT64_C(1) << 32;
	enable_msix();
	negotiate(VERSION_1);
	put(CONFIG_V, 0);
	ready_queue(0, &bad);
	ck_assert_uint_eq(get(Q_ENABLE), 0);
	ck_assert_uint_eq(get(STATUS), FEATURES_OK | NEEDS_RESET);
	check_sent(0, 0, 0); /* 2.1.2: no notification before DRIVER_OK */
}
END_TEST

START_TEST(a_bar_that_does_not_decode_reads_all_ones_and_takes_nothing)
{
	static const struct {
		unsigned offset;
		uint32_t off, on;
	} switches[] = {{PCI_COMMAND, 0, PCI_COMMAND_MEMORY}, {PCI_BASE_ADDRESS_0, UINT32_MAX, BASE},
		{PCI_BASE_ADDRESS_0, BASE + 0x4000, BASE}};

	put(STATUS, ACK_DRIVER);
	config_put(switches[_i].offset, 4, switches[_i].off);
	for (unsigned offset = 0; offset < VIRTIO_PCI_BAR_SIZE; offset += 8)
		ck_assert_uint_eq(get(offset, 8), UINT64_MAX);
	ck_assert_uint_eq(get(STATUS), 0xff);
	put(STATUS, 0);
	put(DOORBELL, 2, 0);
	put(TABLE, 4, 0xfee00000);
	ck_assert(!rung());
	config_put(switches[_i].offset, 4, switches[_i].on);
	ck_assert_uint_eq(get(STATUS), ACK_DRIVER);
	ck_assert_uint_eq(get(TABLE, 4), 0);
}
END_TEST

START_TEST(a_device_with_too_many_queues_is_refused)
{
	struct virtio_transport_config config = {.mem = &ring.mem, .ops = &device_ops, .doorbell = &bell};
	const struct msi_handle msi = {.send = send, .ctx = &sent};
	struct virtio_pci other;

	config.queue_count = VIRTIO_QUEUES_MAX + 1;
	ck_assert_int_eq(virtio_pci_init(&other, &config, BASE, CLASS, &msi), -EINVAL);
	virtio_pci_fini(&other);
	config.queue_count = VIRTIO_QUEUES_MAX;
	ck_assert_int_eq(virtio_pci_init(&other, &config, BASE, CLASS, &msi), 0);
	ck_assert_uint_eq(other.msix.count, VIRTIO_QUEUES_MAX + 1);
	virtio_pci_fini(&other);
	virtio_pci_fini(&other);
}
END_TEST

Suite *virtio_pci_suite(void)
{
	Suite *suite = suite_create("virtio_pci");
	TCase *tc = tcase_create("virtio_pci");

	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, virtio_pci_access_tcase());
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_function_says_that_it_is_a_modern_virtio_device);
	tcase_add_test(tc, capabilities_tell_where_the_registers_are);
	tcase_add_test(tc, a_driver_that_follows_the_rules_gets_through);
	tcase_add_test(tc, features_that_are_not_offered_are_refused);
	tcase_add_test(tc, a_queues_fields_read_back);
	tcase_add_test(tc, a_queue_has_the_largest_size_unless_the_driver_wants_less);
	tcase_add_test(tc, a_queue_is_set_up_between_features_ok_and_enable);
	tcase_add_test(tc, queues_that_do_not_exist_read_0_and_take_nothing);
	tcase_add_test(tc, fields_answer_to_their_widths_only);
	tcase_add_test(tc, what_lies_between_the_parts_reads_0_and_takes_nothing);
	tcase_add_test(tc, a_notification_of_any_queue_rings_the_doorbell);
	tcase_add_test(tc, the_configuration_space_takes_any_size);
	tcase_add_loop_test(tc, a_bad_ring_needs_reset_and_is_not_enabled, 0, 4);
	tcase_add_loop_test(tc, a_bar_that_does_not_decode_reads_all_ones_and_takes_nothing, 0, 3);
	tcase_add_test(tc, a_device_with_too_many_queues_is_refused);
	return suite;
}
