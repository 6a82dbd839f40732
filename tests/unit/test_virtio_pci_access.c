/* virtio-pci: how it interrupts (virtio 1.2, 4.1.5.1), and the window to it in configuration space (4.1.4.9). */
#include <check.h>

#include "mock_virtio_pci.h"
#include "suites.h"

START_TEST(each_queue_has_the_vector_that_it_was_given)
{
	start(0, 2, 1);
	request(2);
	check_sent(0, 1, 0);
	request(1);
	check_sent(0, 0, 1);
	request(3);
	check_sent(0, 1, 1);
	request(0);
	check_sent(0, 0, 0);
}
END_TEST

START_TEST(queues_may_share_a_vector)
{
	start(0, 1, 1);
	request(2);
	check_sent(0, 1, 0);
	request(1);
	check_sent(0, 1, 0);
	request(3);
	ck_assert_uint_ge(sent[1], 1);
	ck_assert_uint_eq(sent[0] + sent[2], 0);
}
END_TEST

START_TEST(a_queue_without_a_vector_is_served_in_silence)
{
	start(0, NONE, 1);
	request(1);
	check_sent(0, 0, 0);
	ck_assert_uint_eq(((struct vring_used *)ring_at(&ring, second_ring().used))->idx, 1);
	put(Q_SELECT, 1);
	put(Q_VECTOR, NONE);
	request(2);
	check_sent(0, 0, 0);
}
END_TEST

/* 4.1.5.1.2.1: what cannot be had reads back as no vector. */
START_TEST(impossible_vectors_read_back_as_none)
{
	static const unsigned impossible[] = {3, 64, 65, 0x7fff, 0xfffe, NONE};

	ck_assert_uint_eq(get(CONFIG_V), NONE);
	put(Q_SELECT, 1);
	ck_assert_uint_eq(get(Q_VECTOR), NONE);
	for (unsigned i = 0; i < ARRAY_SIZE(impossible); i++) {
		put(CONFIG_V, 2);
		put(Q_VECTOR, 2);
		ck_assert_uint_eq(get(CONFIG_V), 2);
		ck_assert_uint_eq(get(Q_VECTOR), 2);
		put(CONFIG_V, impossible[i]);
		put(Q_VECTOR, impossible[i]);
		ck_assert_uint_eq(get(CONFIG_V), NONE);
		ck_assert_uint_eq(get(Q_VECTOR), NONE);
	}
}
END_TEST

START_TEST(a_reset_forgets_vectors_queues_and_causes)
{
	start(2, 1, 0);
	request(2);
	put(STATUS, 0);
	ck_assert_uint_eq(get(STATUS), 0);
	ck_assert_uint_eq(get(ISR, 1), 0);
	ck_assert_uint_eq(get(CONFIG_V), NONE);
	for (unsigned i = 0; i < 2; i++) {
		put(Q_SELECT, i);
		ck_assert_uint_eq(get(Q_VECTOR), NONE);
		ck_assert_uint_eq(get(Q_ENABLE), 0);
		ck_assert_uint_eq(get(Q_SIZE), SIZE);
	}
	ck_assert_uint_eq(device.resets, 1);
	/* The table is PCI's, and stays. */
	ck_assert_uint_eq(get(TABLE + 16 + 8, 8), 1);
}
END_TEST

START_TEST(a_ring_that_lies_gives_a_configuration_interrupt)
{
	start(2, 1, 0);
	ring_offer(&ring, SIZE);
	virtio_transport_serve(&pci.transport);
	ck_assert_uint_eq(get(STATUS), DRIVER_OK | NEEDS_RESET);
	check_sent(0, 0, 1);
	ck_assert_uint_eq(get(ISR, 1), 2);
}
END_TEST

/* 4.1.4.5. */
START_TEST(the_isr_tells_causes_and_a_read_takes_them_back)
{
	start(2, 1, 0);
	ck_assert_uint_eq(get(ISR, 1), 0);
	request(2);
	ck_assert_uint_eq(get(ISR, 2), 0); /* of one byte alone */
	ck_assert_uint_eq(get(ISR, 4), 0);
	put(ISR, 1, 0);
	ck_assert_uint_eq(get(ISR, 1), 1);
	ck_assert_uint_eq(get(ISR, 1), 0);
	request(2);
	ring_offer(&ring, SIZE);
	virtio_transport_serve(&pci.transport);
	ck_assert_uint_eq(get(ISR, 1), 3);
	ck_assert_uint_eq(get(ISR, 1), 0);
}
END_TEST

START_TEST(msix_is_enabled_and_masked_by_its_capability)
{
	start(2, 1, 0);
	msix_flags(PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	request(2);
	request(1);
	check_sent(0, 0, 0);
	ck_assert_uint_eq(get(PENDING, 8), 3);
	msix_flags(PCI_MSIX_FLAGS_ENABLE);
	check_sent(1, 1, 0);
	ck_assert_uint_eq(get(PENDING, 8), 0);
	msix_flags(0);
	request(2);
	msix_flags(PCI_MSIX_FLAGS_ENABLE);
	check_sent(0, 0, 0);
	/* The number of vectors stays. */
	msix_flags(0xffff);
	ck_assert_uint_eq(config_get(find_capability(0) + PCI_MSIX_FLAGS, 2),
		PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL | 2);
}
END_TEST

static unsigned window_at(uint8_t bar, uint32_t offset, uint32_t length)
{
	unsigned at = find_capability(VIRTIO_PCI_CAP_PCI_CFG);

	config_put(at + VIRTIO_PCI_CAP_BAR, 1, bar);
	config_put(at + VIRTIO_PCI_CAP_OFFSET, 4, offset);
	config_put(at + VIRTIO_PCI_CAP_LENGTH, 4, length);
	return at + sizeof(struct virtio_pci_cap);
}

/* 4.1.4.9: without the BAR, which need not even decode. */
START_TEST(the_access_window_reads_and_writes_registers)
{
	if (_i)
		config_put(PCI_COMMAND, 2, 0);
	config_put(window_at(0, VIRTIO_PCI_COMMON_STATUS, 1), 1, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	ck_assert_uint_eq(pci.transport.state.status, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	ck_assert_uint_eq(config_get(window_at(0, VIRTIO_PCI_COMMON_STATUS, 1), 1), 1);
	ck_assert_uint_eq(config_get(window_at(0, VIRTIO_PCI_COMMON_NUMQ, 2), 2), 2);
	config_put(window_at(0, VIRTIO_PCI_COMMON_DFSELECT, 4), 4, 0x01020304);
	ck_assert_uint_eq(pci.transport.state.device_features_sel, 0x01020304);
	/* The access has the length that was asked for, however the window is touched. */
	ck_assert_uint_eq(config_get(window_at(0, VIRTIO_PCI_COMMON_DFSELECT, 4), 1), 4);
	device.space[5] = 0x77;
	ck_assert_uint_eq(config_get(window_at(0, DEVICE + 5, 1), 4) & 0xff, 0x77);
	config_put(window_at(0, DOORBELL, 2), 2, 0);
	ck_assert(rung());
}
END_TEST

static const struct {
	const char *what;
	uint8_t bar;
	uint32_t offset, length;
} bad_windows[] = {
	{"BAR 1", 1, VIRTIO_PCI_COMMON_STATUS, 1},
	{"BAR 255", 255, VIRTIO_PCI_COMMON_STATUS, 1},
	{"no length", 0, VIRTIO_PCI_COMMON_STATUS, 0},
	{"a length of 3", 0, 0, 3},
	{"a length of 8", 0, 0, 8},
	{"the largest length", 0, 0, UINT32_MAX},
	{"not aligned to its length", 0, 2, 4},
	{"behind the BAR", 0, VIRTIO_PCI_BAR_SIZE, 4},
	{"far behind the BAR", 0, 0xfffffffc, 4},
	{"wrapping to the BAR", 0, UINT32_MAX, 1},
};

START_TEST(a_window_to_nowhere_reads_what_was_written_and_does_nothing)
{
	struct virtio_transport_state before = pci.transport.state;
	unsigned data = window_at(bad_windows[_i].bar, bad_windows[_i].offset, bad_windows[_i].length);

	config_put(data, 4, 0x5aa50f01);
	ck_assert_msg(config_get(data, 4) == 0x5aa50f01, "%s", bad_windows[_i].what);
	ck_assert_msg(memcmp(&pci.transport.state, &before, sizeof(before)) == 0, "%s", bad_windows[_i].what);
	ck_assert(!rung());
}
END_TEST

START_TEST(only_the_windows_own_first_byte_is_an_access)
{
	unsigned data = window_at(0, VIRTIO_PCI_COMMON_STATUS, 1);

	put(STATUS, ACK_DRIVER);
	config_put(data + 1, 1, VIRTIO_CONFIG_S_FAILED);
	ck_assert_uint_eq(get(STATUS), ACK_DRIVER);
	config_put(data - 4, 4, 1);
	ck_assert_uint_eq(get(STATUS), ACK_DRIVER);
	config_put(data + 4, 4, 1);
	ck_assert_uint_eq(get(STATUS), ACK_DRIVER);
	ck_assert_uint_eq(config_get(data + 1, 1), VIRTIO_CONFIG_S_FAILED); /* as it was written */
	ck_assert_uint_eq(config_get(data, 1), ACK_DRIVER);
}
END_TEST

TCase *virtio_pci_access_tcase(void)
{
	TCase *tc = tcase_create("virtio_pci_access");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, each_queue_has_the_vector_that_it_was_given);
	tcase_add_test(tc, queues_may_share_a_vector);
	tcase_add_test(tc, a_queue_without_a_vector_is_served_in_silence);
	tcase_add_test(tc, impossible_vectors_read_back_as_none);
	tcase_add_test(tc, a_reset_forgets_vectors_queues_and_causes);
	tcase_add_test(tc, a_ring_that_lies_gives_a_configuration_interrupt);
	tcase_add_test(tc, the_isr_tells_causes_and_a_read_takes_them_back);
	tcase_add_test(tc, msix_is_enabled_and_masked_by_its_capability);
	tcase_add_loop_test(tc, the_access_window_reads_and_writes_registers, 0, 2);
	tcase_add_loop_test(
		tc, a_window_to_nowhere_reads_what_was_written_and_does_nothing, 0, ARRAY_SIZE(bad_windows));
	tcase_add_test(tc, only_the_windows_own_first_byte_is_an_access);
	return tc;
}
