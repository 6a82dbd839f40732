/* MSI-X, against PCI 3.0, 6.8.2. */
#include "suites.h"

#include <linux/pci_regs.h>

#include "bus/msix.h"
#include "util/bytes.h"

#define COUNT   33u
#define ADDRESS 0xfee03000u
#define DATA(n) (0x40u + (n))

static struct msix msix;

static struct {
	unsigned sent;
	struct msi_message last;
} seen;

static bool send(void *ctx, struct msi_message message)
{
	ck_assert_ptr_eq(ctx, &seen);
	seen.sent++;
	seen.last = message;
	return true;
}

static void setup(void)
{
	const struct msi_handle msi = {.send = send, .ctx = &seen};

	msix_init(&msix, COUNT, &msi);
}

static void teardown(void)
{
	msix_fini(&msix);
}

static unsigned take_sent(void)
{
	unsigned sent = seen.sent;

	seen.sent = 0;
	return sent;
}

static void put(unsigned vector, unsigned field, uint64_t value, unsigned size)
{
	msix_table_write(&msix, vector * MSIX_ENTRY_SIZE + field, size, value);
}

static uint64_t get(unsigned vector, unsigned field, unsigned size)
{
	return msix_table_read(&msix, vector * MSIX_ENTRY_SIZE + field, size);
}

static void mask(unsigned vector, bool masked)
{
	put(vector, PCI_MSIX_ENTRY_VECTOR_CTRL, masked, 4);
}

/* As a driver does: all vectors set up and unmasked, then MSI-X enabled. */
static void start(void)
{
	for (unsigned i = 0; i < COUNT; i++) {
		put(i, PCI_MSIX_ENTRY_LOWER_ADDR, ADDRESS, 4);
		put(i, PCI_MSIX_ENTRY_UPPER_ADDR, 0, 4);
		put(i, PCI_MSIX_ENTRY_DATA, DATA(i), 4);
		mask(i, false);
	}
	msix_control(&msix, true, false);
}

static bool pending(unsigned vector)
{
	return msix_pending_read(&msix, vector / 64 * 8, 8) >> vector % 64 & 1;
}

START_TEST(all_is_masked_and_disabled_at_the_start)
{
	for (unsigned i = 0; i < COUNT; i++) {
		ck_assert_uint_eq(get(i, PCI_MSIX_ENTRY_LOWER_ADDR, 8), 0);
		ck_assert_uint_eq(get(i, PCI_MSIX_ENTRY_DATA, 4), 0);
		ck_assert_uint_eq(get(i, PCI_MSIX_ENTRY_VECTOR_CTRL, 4), PCI_MSIX_ENTRY_CTRL_MASKBIT);
	}
	msix_control(&msix, true, false);
	msix_send(&msix, 3);
	ck_assert_uint_eq(take_sent(), 0);
	ck_assert(pending(3));
}
END_TEST

START_TEST(a_vector_sends_its_own_message)
{
	start();
	put(7, PCI_MSIX_ENTRY_DATA, 0xffff4155, 4);
	put(7, PCI_MSIX_ENTRY_LOWER_ADDR, 0xfeeff008, 4);
	for (unsigned i = 0; i < COUNT; i++) {
		msix_send(&msix, i);
		ck_assert_uint_eq(take_sent(), 1);
		ck_assert_uint_eq(seen.last.address, i == 7 ? 0xfeeff008 : ADDRESS);
		ck_assert_uint_eq(seen.last.data, i == 7 ? 0xffff4155 : DATA(i));
		ck_assert(!pending(i));
	}
}
END_TEST

START_TEST(a_masked_vector_is_pending_until_it_is_unmasked)
{
	start();
	mask(4, true);
	msix_send(&msix, 4);
	msix_send(&msix, 4);
	msix_send(&msix, 5);
	ck_assert_uint_eq(take_sent(), 1);
	ck_assert_uint_eq(msix_pending_read(&msix, 0, 4), 1u << 4);
	/* A message that is changed meanwhile is the new one. */
	put(4, PCI_MSIX_ENTRY_DATA, 0x99, 4);
	ck_assert_uint_eq(take_sent(), 0);
	mask(4, false);
	ck_assert_uint_eq(take_sent(), 1);
	ck_assert_uint_eq(seen.last.data, 0x99);
	ck_assert(!pending(4));
	mask(4, false);
	ck_assert_uint_eq(take_sent(), 0);
}
END_TEST

START_TEST(the_function_mask_holds_all_back)
{
	start();
	mask(2, true);
	msix_control(&msix, true, true);
	for (unsigned i = 0; i < 4; i++)
		msix_send(&msix, i);
	ck_assert_uint_eq(take_sent(), 0);
	ck_assert_uint_eq(msix_pending_read(&msix, 0, 4), 15);
	mask(2, false); /* the function is masked all the same */
	mask(2, true);
	ck_assert_uint_eq(take_sent(), 0);
	msix_control(&msix, true, false);
	ck_assert_uint_eq(take_sent(), 3);
	ck_assert_uint_eq(msix_pending_read(&msix, 0, 4), 1u << 2);
	msix_control(&msix, true, false);
	ck_assert_uint_eq(take_sent(), 0);
}
END_TEST

START_TEST(nothing_is_kept_while_disabled)
{
	start();
	msix_control(&msix, false, false);
	msix_send(&msix, 1);
	mask(2, true);
	msix_send(&msix, 2);
	ck_assert_uint_eq(msix_pending_read(&msix, 0, 8), 0);
	msix_control(&msix, true, false);
	mask(2, false);
	ck_assert_uint_eq(take_sent(), 0);
}
END_TEST

START_TEST(what_was_pending_before_is_sent_when_enabled_again)
{
	start();
	mask(2, true);
	msix_send(&msix, 2);
	msix_control(&msix, false, false);
	mask(2, false);
	msix_send(&msix, 2);
	ck_assert_uint_eq(take_sent(), 0);
	ck_assert(pending(2));
	msix_control(&msix, true, false);
	ck_assert_uint_eq(take_sent(), 1);
}
END_TEST

START_TEST(vectors_that_do_not_exist_are_nobodys)
{
	static const unsigned vectors[] = {COUNT, MSIX_VECTORS_MAX, 0xffff, UINT32_MAX};

	start();
	for (unsigned i = 0; i < ARRAY_SIZE(vectors); i++)
		msix_send(&msix, vectors[i]);
	msix_control(&msix, true, true);
	for (unsigned i = 0; i < ARRAY_SIZE(vectors); i++)
		msix_send(&msix, vectors[i]);
	for (unsigned i = 0; i < MSIX_VECTORS_MAX; i++)
		ck_assert(!msix.pending[i]);
	msix_control(&msix, true, false);
	ck_assert_uint_eq(take_sent(), 0);
}
END_TEST

START_TEST(the_pending_bits_are_read_by_4_and_8_bytes)
{
	start();
	msix_control(&msix, true, true);
	msix_send(&msix, 0);
	msix_send(&msix, COUNT - 1);
	ck_assert_uint_eq(msix_pending_read(&msix, 0, 8), UINT64_C(1) << 32 | 1);
	ck_assert_uint_eq(msix_pending_read(&msix, 0, 4), 1);
	ck_assert_uint_eq(msix_pending_read(&msix, 4, 4), 1);
	for (unsigned size = 1; size <= 8; size++) {
		if (size != 4 && size != 8)
			ck_assert_uint_eq(msix_pending_read(&msix, 0, size), 0);
		ck_assert_uint_eq(msix_pending_read(&msix, 1, size), 0);
		ck_assert_uint_eq(msix_pending_read(&msix, 8, size), 0);
		ck_assert_uint_eq(msix_pending_read(&msix, 0xff8, size), 0);
	}
}
END_TEST

START_TEST(the_table_takes_aligned_4_and_8_bytes_only)
{
	start();
	put(1, PCI_MSIX_ENTRY_LOWER_ADDR, 0x11223344fee55660, 8);
	put(1, PCI_MSIX_ENTRY_DATA, 0xaabbccdd, 8); /* and unmasked, with the data */
	for (unsigned size = 1; size <= 8; size++) {
		for (unsigned offset = 0; offset < MSIX_ENTRY_SIZE; offset++) {
			if ((size == 4 || size == 8) && offset % size == 0)
				continue;
			ck_assert_uint_eq(get(1, offset, size), 0);
			put(1, offset, UINT64_MAX, size);
		}
	}
	ck_assert_uint_eq(get(1, PCI_MSIX_ENTRY_LOWER_ADDR, 8), 0x11223344fee55660);
	ck_assert_uint_eq(get(1, PCI_MSIX_ENTRY_LOWER_ADDR, 4), 0xfee55660);
	ck_assert_uint_eq(get(1, PCI_MSIX_ENTRY_UPPER_ADDR, 4), 0x11223344);
	ck_assert_uint_eq(get(1, PCI_MSIX_ENTRY_DATA, 8), 0xaabbccdd);
	put(1, PCI_MSIX_ENTRY_DATA, UINT64_C(1) << 32 | 0x77, 8);
	ck_assert_uint_eq(get(1, PCI_MSIX_ENTRY_VECTOR_CTRL, 4), PCI_MSIX_ENTRY_CTRL_MASKBIT);
	ck_assert_uint_eq(get(0, PCI_MSIX_ENTRY_DATA, 4), DATA(0));
	ck_assert_uint_eq(get(2, PCI_MSIX_ENTRY_DATA, 4), DATA(2));
}
END_TEST

START_TEST(reserved_bits_of_an_entry_read_0)
{
	put(1, PCI_MSIX_ENTRY_LOWER_ADDR, UINT64_MAX, 8);
	put(1, PCI_MSIX_ENTRY_DATA, UINT64_MAX, 8);
	ck_assert_uint_eq(get(1, PCI_MSIX_ENTRY_LOWER_ADDR, 8), UINT64_MAX - 3);
	ck_assert_uint_eq(get(1, PCI_MSIX_ENTRY_DATA, 8), UINT64_C(1) << 32 | UINT32_MAX);
}
END_TEST

START_TEST(behind_the_table_there_is_nothing)
{
	static const uint64_t offsets[] = {COUNT * MSIX_ENTRY_SIZE, MSIX_VECTORS_MAX * MSIX_ENTRY_SIZE, 0xff8,
		UINT64_MAX - 7, (UINT64_C(1) << 36) + 8};
	struct msix before;

	start();
	before = msix;
	for (unsigned i = 0; i < ARRAY_SIZE(offsets); i++) {
		for (unsigned size = 4; size <= 8; size += 4) {
			ck_assert_uint_eq(msix_table_read(&msix, offsets[i], size), 0);
			msix_table_write(&msix, offsets[i], size, UINT64_MAX);
		}
	}
	ck_assert_mem_eq(msix.entries, before.entries, sizeof(before.entries));
	ck_assert_mem_eq(msix.pending, before.pending, sizeof(before.pending));
}
END_TEST

/* Where no local APIC is. */
static const uint64_t elsewhere[] = {
	0, 0x1000, 0xfec00000, 0xfedffffc, 0xfef00000, 0xfffffffc, 0x1fee00000, UINT64_C(1) << 63 | ADDRESS};

START_TEST(a_message_to_no_local_apic_goes_nowhere)
{
	start();
	put(6, PCI_MSIX_ENTRY_LOWER_ADDR, elsewhere[_i], 8);
	msix_send(&msix, 6);
	ck_assert_uint_eq(take_sent(), 0);
	ck_assert(!pending(6)); /* it went out */
	put(6, PCI_MSIX_ENTRY_LOWER_ADDR, ADDRESS, 8);
	ck_assert_uint_eq(take_sent(), 0);
}
END_TEST

Suite *msix_suite(void)
{
	Suite *suite = suite_create("bus/msix");
	TCase *tcase = tcase_create("msix");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, all_is_masked_and_disabled_at_the_start);
	tcase_add_test(tcase, a_vector_sends_its_own_message);
	tcase_add_test(tcase, a_masked_vector_is_pending_until_it_is_unmasked);
	tcase_add_test(tcase, the_function_mask_holds_all_back);
	tcase_add_test(tcase, nothing_is_kept_while_disabled);
	tcase_add_test(tcase, what_was_pending_before_is_sent_when_enabled_again);
	tcase_add_test(tcase, vectors_that_do_not_exist_are_nobodys);
	tcase_add_test(tcase, the_pending_bits_are_read_by_4_and_8_bytes);
	tcase_add_test(tcase, the_table_takes_aligned_4_and_8_bytes_only);
	tcase_add_test(tcase, reserved_bits_of_an_entry_read_0);
	tcase_add_test(tcase, behind_the_table_there_is_nothing);
	tcase_add_loop_test(tcase, a_message_to_no_local_apic_goes_nowhere, 0, ARRAY_SIZE(elsewhere));
	return suite;
}
