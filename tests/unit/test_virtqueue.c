#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "guest_ring.h"
#include "suites.h"

#define N VRING_DESC_F_NEXT
#define W VRING_DESC_F_WRITE
#define I VRING_DESC_F_INDIRECT

#define SIZE     8
#define INDIRECT (UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT    (UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX)

static struct guest_ring ring;
static struct virtqueue queue;
static struct virtqueue_chain chain;

static void start(uint64_t features)
{
	virtqueue_stop(&queue);
	ck_assert_int_eq(virtqueue_start(&queue, &ring.mem, &ring.config, features, SIZE), 0);
}

static void set_up(void)
{
	ring_init(&ring, SIZE);
	start(INDIRECT | EVENT);
}

static void tear_down(void)
{
	ring_fini(&ring);
}

static int pop(void)
{
	return virtqueue_pop(&queue, &ring.mem, &chain);
}

START_TEST(a_direct_chain_is_split_into_out_and_in)
{
	ring_desc(&ring, RING_DESC, 3, RING_DATA, 16, N, 0);
	ring_desc(&ring, RING_DESC, 0, RING_DATA + 0x100, 512, N | W, 7);
	ring_desc(&ring, RING_DESC, 7, HIGH_BASE, 1, W, 5 /* no NEXT: not followed */);
	ring_offer(&ring, 3);
	ck_assert_int_eq(pop(), 1);
	ck_assert_uint_eq(chain.head, 3);
	ck_assert_uint_eq(chain.out_count, 1);
	ck_assert_uint_eq(chain.in_count, 2);
	ck_assert_uint_eq(chain.out_len, 16);
	ck_assert_uint_eq(chain.in_len, 513);
	ck_assert_ptr_eq(chain.out[0].iov_base, ring_at(&ring, RING_DATA));
	ck_assert_uint_eq(chain.out[0].iov_len, 16);
	ck_assert_ptr_eq(chain.in[0].iov_base, ring_at(&ring, RING_DATA + 0x100));
	ck_assert_uint_eq(chain.in[0].iov_len, 512);
	ck_assert_ptr_eq(chain.in[1].iov_base, ring_at(&ring, HIGH_BASE));
	ck_assert_uint_eq(chain.in[1].iov_len, 1);
	ck_assert_int_eq(pop(), 0);
}
END_TEST

START_TEST(an_indirect_chain_may_follow_direct_descriptors)
{
	gpa_t table = RING_TABLE + 1; /* any address will do */

	ring_desc(&ring, RING_DESC, 2, RING_DATA, 4, N, 4);
	ring_desc(&ring, RING_DESC, 4, table, 3 * 16, I | W, 0); /* W is ignored there */
	ring_desc(&ring, table, 0, RING_DATA + 8, 12, N, 2);
	ring_desc(&ring, table, 2, RING_DATA + 64, 5, W, 0);
	ring_offer(&ring, 2);
	ck_assert_int_eq(pop(), 1);
	ck_assert_uint_eq(chain.out_count, 2);
	ck_assert_uint_eq(chain.out_len, 16);
	ck_assert_uint_eq(chain.in_len, 5);
	ck_assert_ptr_eq(chain.out[1].iov_base, ring_at(&ring, RING_DATA + 8));
}
END_TEST

START_TEST(an_indirect_chain_may_be_longer_than_the_queue)
{
	for (uint16_t i = 0; i < VIRTQUEUE_CHAIN_MAX; i++)
		ring_desc(&ring, RING_TABLE, i, RING_DATA, 1, i < VIRTQUEUE_CHAIN_MAX - 1 ? N : 0, i + 1);
	ring_desc(&ring, RING_DESC, 0, RING_TABLE, 16 * VIRTQUEUE_CHAIN_MAX, I, 0);
	ring_offer(&ring, 0);
	ck_assert_int_eq(pop(), 1);
	ck_assert_uint_eq(chain.out_count, VIRTQUEUE_CHAIN_MAX);
}
END_TEST

START_TEST(a_direct_chain_may_use_the_whole_queue)
{
	for (uint16_t i = 0; i < SIZE; i++)
		ring_desc(&ring, RING_DESC, i, RING_DATA, 1, i < SIZE - 1 ? N : 0, i + 1);
	ring_offer(&ring, 0);
	ck_assert_int_eq(pop(), 1);
	ck_assert_uint_eq(chain.out_count, SIZE);
}
END_TEST

START_TEST(empty_buffers_are_legal_and_dropped)
{
	ring_desc(&ring, RING_DESC, 0, HOLE, 0, N, 1);
	ring_desc(&ring, RING_DESC, 1, RING_DATA, 3, N, 2);
	ring_desc(&ring, RING_DESC, 2, HOLE, 0, W, 0);
	ring_offer(&ring, 0);
	ck_assert_int_eq(pop(), 1);
	ck_assert_uint_eq(chain.out_count, 1);
	ck_assert_uint_eq(chain.in_count, 0);
}
END_TEST

/* Each row is a ring that a correct driver never makes. */
struct broken {
	const char *what;
	struct {
		uint64_t addr;
		uint32_t len;
		uint16_t flags, next;
	} desc[3], table[3];
	uint16_t head;
	int ahead; /* how far avail.idx is moved on, 1 where it is 0 */
	bool no_indirect;
};

#define TO_TABLE(entries, more)                                   \
	{                                                         \
		{                                                 \
			RING_TABLE, 16 * (entries), I | (more), 1 \
		}                                                 \
	}

static const struct broken brokens[] = {
	{"avail.idx runs ahead", .desc = {{RING_DATA, 1, 0, 0}}, .ahead = SIZE + 1},
	{"avail.idx steps back", .desc = {{RING_DATA, 1, 0, 0}}, .ahead = -1},
	{"head = size", .desc = {{RING_DATA, 1, 0, 0}}, .head = SIZE},
	{"head far out", .desc = {{RING_DATA, 1, 0, 0}}, .head = 0xffff},
	{"next = size", .desc = {{RING_DATA, 1, N, SIZE}}},
	{"next far out", .desc = {{RING_DATA, 1, N, 0xffff}}},
	{"a chain of itself", .desc = {{RING_DATA, 1, N, 0}}},
	{"a loop", .desc = {{RING_DATA, 1, N, 1}, {RING_DATA, 1, N, 0}}},
	{"a loop of empty buffers", .desc = {{RING_DATA, 0, N, 1}, {RING_DATA, 0, N, 0}}},
	{"a buffer in the hole", .desc = {{HOLE, 1, 0, 0}}},
	{"into the hole", .desc = {{HOLE - 1, 2, 0, 0}}},
	{"across two regions", .desc = {{HIGH_BASE - 1, 2, 0, 0}}},
	{"to be written in the hole", .desc = {{HOLE, 1, W, 0}}},
	{"wraps", .desc = {{UINT64_MAX - 0xff, 0x200, 0, 0}}},
	{"wraps to address 0", .desc = {{UINT64_MAX, 1, 0, 0}}},
	{"longer than memory", .desc = {{0, UINT32_MAX, 0, 0}}},
	{"the second one is bad", .desc = {{RING_DATA, 1, N, 1}, {HOLE, 1, W, 0}}},
	{"in before out", .desc = {{RING_DATA, 1, N | W, 1}, {RING_DATA, 1, 0, 0}}},
	{"in before an empty out", .desc = {{RING_DATA, 1, N | W, 1}, {RING_DATA, 0, 0, 0}}},
	{"an empty in before out", .desc = {{RING_DATA, 0, N | W, 1}, {RING_DATA, 1, 0, 0}}},
	{"indirect, not negotiated", .desc = TO_TABLE(1, 0), .table = {{RING_DATA, 1, 0, 0}},
		.no_indirect = true},
	{"indirect and next", .desc = TO_TABLE(1, N), .table = {{RING_DATA, 1, 0, 0}}},
	{"an empty table", .desc = {{RING_TABLE, 0, I, 0}}, .table = {{RING_DATA, 1, 0, 0}}},
	{"a table of 15 bytes", .desc = {{RING_TABLE, 15, I, 0}}, .table = {{RING_DATA, 1, 0, 0}}},
	{"a table of 17 bytes", .desc = {{RING_TABLE, 17, I, 0}}, .table = {{RING_DATA, 1, 0, 0}}},
	{"a table too long", .desc = TO_TABLE(VIRTQUEUE_CHAIN_MAX + 1, 0), .table = {{RING_DATA, 1, 0, 0}}},
	{"a table in the hole", .desc = {{HOLE, 16, I, 0}}},
	{"a table into the hole", .desc = {{HOLE - 16, 32, I, 0}}},
	{"a table across two regions", .desc = {{HIGH_BASE - 16, 32, I, 0}}},
	{"a table that wraps", .desc = {{UINT64_MAX - 15, 32, I, 0}}},
	{"a table in a table", .desc = TO_TABLE(2, 0),
		.table = {{RING_TABLE + 16, 16, I, 0}, {RING_DATA, 1, 0, 0}}},
	{"a table in itself", .desc = TO_TABLE(1, 0), .table = {{RING_TABLE, 16, I, 0}}},
	{"next = the table's length", .desc = TO_TABLE(2, 0),
		.table = {{RING_DATA, 1, N, 2}, {RING_DATA, 1, 0, 0}}},
	{"a loop in a table", .desc = TO_TABLE(2, 0), .table = {{RING_DATA, 1, N, 1}, {RING_DATA, 1, N, 0}}},
	{"a bad buffer in a table", .desc = TO_TABLE(1, 0), .table = {{HOLE, 1, 0, 0}}},
	{"in before an indirect out", .desc = {{RING_DATA, 1, N | W, 1}, {RING_TABLE, 16, I, 0}},
		.table = {{RING_DATA, 1, 0, 0}}},
};

START_TEST(a_broken_ring_is_eproto)
{
	const struct broken *row = &brokens[_i];
	uint16_t ahead = (uint16_t)(row->ahead ? row->ahead : 1);

	for (unsigned i = 0; i < 3; i++) {
		ring_desc(&ring, RING_DESC, i, row->desc[i].addr, row->desc[i].len, row->desc[i].flags,
			row->desc[i].next);
		ring_desc(&ring, RING_TABLE, i, row->table[i].addr, row->table[i].len, row->table[i].flags,
			row->table[i].next);
	}
	if (row->no_indirect)
		start(EVENT);
	ring_avail(&ring)->ring[0] = row->head;
	ring_avail(&ring)->idx = ahead;
	ck_assert_msg(pop() == -EPROTO, "%s", row->what);
	ck_assert_uint_eq(ring_used(&ring)->idx, 0);
}
END_TEST

START_TEST(a_chain_with_too_many_segments_is_eproto)
{
	ring_desc(&ring, RING_DESC, 0, RING_DATA, 1, N, 1);
	for (uint16_t i = 0; i < VIRTQUEUE_CHAIN_MAX; i++)
		ring_desc(&ring, RING_TABLE, i, RING_DATA, 1, i < VIRTQUEUE_CHAIN_MAX - 1 ? N : 0, i + 1);
	ring_desc(&ring, RING_DESC, 1, RING_TABLE, 16 * VIRTQUEUE_CHAIN_MAX, I, 0);
	ring_offer(&ring, 0);
	ck_assert_int_eq(pop(), -EPROTO);
}
END_TEST

/* 2.7.5.2: 2^32 bytes at most. */
START_TEST(a_chain_holds_4_gib_and_no_more)
{
	ck_assert_int_eq(guest_memory_add(&ring.mem, GIB(4), GIB(2)), 0);
	for (uint16_t i = 0; i < 2; i++)
		ring_desc(&ring, RING_DESC, i, GIB(4), (uint32_t)GIB(2), N, i + 1);
	ring_desc(&ring, RING_DESC, 2, RING_DATA, 0, 0, 0);
	ring_offer(&ring, 0);
	ck_assert_int_eq(pop(), 1);
	ck_assert_uint_eq(chain.out_len, GIB(4));
	ring_desc(&ring, RING_DESC, 2, RING_DATA, 1, 0, 0);
	ring_offer(&ring, 0);
	ck_assert_int_eq(pop(), -EPROTO);
}
END_TEST

static const struct {
	const char *what;
	struct virtqueue_config config;
} bad_starts[] = {
	{"size 0", {RING_DESC, RING_AVAIL, RING_USED, 0}},
	{"size 3", {RING_DESC, RING_AVAIL, RING_USED, 3}},
	{"size over the maximum", {RING_DESC, RING_AVAIL, RING_USED, 2 * SIZE}},
	{"size 2^31", {RING_DESC, RING_AVAIL, RING_USED, 0x80000000}},
	{"size 2^16 + 8", {RING_DESC, RING_AVAIL, RING_USED, 0x10008}},
	{"descriptors misaligned", {RING_DESC + 8, RING_AVAIL, RING_USED, SIZE}},
	{"available ring misaligned", {RING_DESC, RING_AVAIL + 1, RING_USED, SIZE}},
	{"used ring misaligned", {RING_DESC, RING_AVAIL, RING_USED + 2, SIZE}},
	{"descriptors in the hole", {HOLE, RING_AVAIL, RING_USED, SIZE}},
	{"descriptors run into the hole", {HOLE - 16 * SIZE + 16, RING_AVAIL, RING_USED, SIZE}},
	{"available ring across two regions", {RING_DESC, HIGH_BASE - 4, RING_USED, SIZE}},
	{"used_event in the hole", {RING_DESC, HOLE - 4 - 2 * SIZE, RING_USED, SIZE}},
	{"used ring in the hole", {RING_DESC, RING_AVAIL, HOLE, SIZE}},
	{"avail_event in the hole", {RING_DESC, RING_AVAIL, HOLE - 4 - 8 * SIZE, SIZE}},
	{"descriptors wrap", {UINT64_MAX - 15, RING_AVAIL, RING_USED, SIZE}},
};

START_TEST(a_bad_ring_does_not_start)
{
	int r;

	virtqueue_stop(&queue);
	r = virtqueue_start(&queue, &ring.mem, &bad_starts[_i].config, 0, SIZE);
	ck_assert_msg(r == -EPROTO, "%s", bad_starts[_i].what);
	ck_assert(!virtqueue_started(&queue));
}
END_TEST

START_TEST(indices_wrap_at_65536)
{
	unsigned rounds = 65536 + 3 * SIZE;

	for (uint16_t i = 0; i < SIZE; i++)
		ring_desc(&ring, RING_DESC, i, RING_DATA, i + 1u, 0, 0);
	for (unsigned i = 0; i < rounds; i++) {
		uint16_t head = i * 5 % SIZE;
		const struct vring_used_elem *elem = &ring_used(&ring)->ring[i % SIZE];

		ring_offer(&ring, head);
		if (pop() != 1 || pop() != 0)
			ck_abort_msg("first pop, round %u", i);
		virtqueue_unpop(&queue);
		if (pop() != 1 || chain.head != head || chain.out_len != head + 1u)
			ck_abort_msg("pop, round %u", i);
		virtqueue_push(&queue, chain.head, i);
		if (elem->id != head || elem->len != i || ring_used(&ring)->idx != (uint16_t)(i + 1))
			ck_abort_msg("push, round %u", i);
	}
	ck_assert_int_eq(pop(), 0);
}
END_TEST

/* 2.7.7.2: the driver wants to hear of used entry `event`; entries [old, new) were just added. */
static const struct {
	uint16_t old, new, event;
	bool wanted;
} events[] = {
	{0, 1, 0, true},
	{0, 1, 1, false},
	{0, 1, 0xffff, false},
	{4, 8, 4, true},
	{4, 8, 7, true},
	{4, 8, 8, false},
	{4, 8, 3, false},
	{0xfffe, 2, 0xfffd, false},
	{0xfffe, 2, 0xfffe, true},
	{0xfffe, 2, 0xffff, true},
	{0xfffe, 2, 0, true},
	{0xfffe, 2, 1, true},
	{0xfffe, 2, 2, false},
};

START_TEST(used_event_says_when_to_interrupt)
{
	queue.state.signalled = queue.state.next_used = events[_i].old;
	for (uint16_t n = events[_i].new - events[_i].old; n > 0; n--)
		virtqueue_push(&queue, 0, 0);
	*ring_used_event(&ring) = events[_i].event;
	ck_assert(virtqueue_should_interrupt(&queue) == events[_i].wanted);
	ck_assert(!virtqueue_should_interrupt(&queue)); /* once only */
}
END_TEST

START_TEST(without_event_idx_a_flag_suppresses_interrupts)
{
	start(0);
	*ring_used_event(&ring) = 0x5555; /* not looked at */
	ck_assert(!virtqueue_should_interrupt(&queue));
	virtqueue_push(&queue, 0, 0);
	ck_assert(virtqueue_should_interrupt(&queue));
	ring_avail(&ring)->flags = VRING_AVAIL_F_NO_INTERRUPT;
	virtqueue_push(&queue, 0, 0);
	ck_assert(!virtqueue_should_interrupt(&queue));
}
END_TEST

START_TEST(avail_event_follows_what_was_taken)
{
	ring_desc(&ring, RING_DESC, 0, RING_DATA, 1, 0, 0);
	*ring_avail_event(&ring) = 0x1234;
	ring_offer(&ring, 0);
	ck_assert_int_eq(pop(), 1);
	virtqueue_disable_notify(&queue);
	ck_assert_uint_eq(*ring_avail_event(&ring), 0x1234);
	ck_assert(!virtqueue_enable_notify(&queue));
	ck_assert_uint_eq(*ring_avail_event(&ring), 1);
	ck_assert_uint_eq(ring_used(&ring)->flags, 0);
}
END_TEST

START_TEST(without_event_idx_a_flag_suppresses_notifications)
{
	start(0);
	virtqueue_disable_notify(&queue);
	ck_assert_uint_eq(ring_used(&ring)->flags, VRING_USED_F_NO_NOTIFY);
	ck_assert(!virtqueue_enable_notify(&queue));
	ck_assert_uint_eq(ring_used(&ring)->flags, 0);
	virtqueue_disable_notify(&queue);
	ck_assert_uint_eq(ring_used(&ring)->flags, VRING_USED_F_NO_NOTIFY);
	ck_assert_uint_eq(*ring_avail_event(&ring), 0);
}
END_TEST

START_TEST(a_request_that_came_before_notifications_were_on_is_not_lost)
{
	start(_i ? EVENT : 0);
	ring_desc(&ring, RING_DESC, 0, RING_DATA, 1, 0, 0);
	virtqueue_disable_notify(&queue);
	ck_assert_int_eq(pop(), 0);
	ring_offer(&ring, 0);
	ck_assert(virtqueue_enable_notify(&queue));
}
END_TEST

START_TEST(a_chain_is_read_and_written_across_segments)
{
	char text[8] = "";

	memcpy(ring_at(&ring, RING_DATA), "abcdef", 6);
	ring_desc(&ring, RING_DESC, 0, RING_DATA, 2, N, 1);
	ring_desc(&ring, RING_DESC, 1, RING_DATA + 2, 4, N, 2);
	ring_desc(&ring, RING_DESC, 2, RING_DATA + 16, 2, N | W, 3);
	ring_desc(&ring, RING_DESC, 3, RING_DATA + 32, 2, N | W, 4);
	ring_desc(&ring, RING_DESC, 4, RING_DATA + 48, 1, W, 0);
	ring_offer(&ring, 0);
	ck_assert_int_eq(pop(), 1);
	ck_assert_ptr_eq(virtqueue_chain_take_last(&chain), ring_at(&ring, RING_DATA + 48));
	ck_assert_uint_eq(chain.in_count, 2);
	ck_assert_ptr_eq(virtqueue_chain_take_last(&chain), ring_at(&ring, RING_DATA + 33));
	ck_assert_uint_eq(chain.in_len, 3);
	ck_assert_int_eq(virtqueue_chain_read(&chain, text, 7), -EPROTO);
	ck_assert_int_eq(virtqueue_chain_read(&chain, text, 3), 0);
	ck_assert_str_eq(text, "abc");
	ck_assert_uint_eq(chain.out_count, 1);
	ck_assert_uint_eq(chain.out[0].iov_len, 3);
	ck_assert_int_eq(memcmp(chain.out[0].iov_base, "def", 3), 0);
	ck_assert_uint_eq(virtqueue_chain_write(&chain, "xyzzy", 5), 3);
	ck_assert_int_eq(memcmp(ring_at(&ring, RING_DATA + 16), "xy", 3), 0);
	ck_assert_int_eq(memcmp(ring_at(&ring, RING_DATA + 32), "z", 2), 0);
	ck_assert_ptr_null(virtqueue_chain_take_last(&chain));
}
END_TEST

#define RACE_REQUESTS 20000

/* A driver on another CPU: it notifies when avail_event asks for it, which is counted in *arg. */
static void *race_driver(void *arg)
{
	for (unsigned i = 0; i < RACE_REQUESTS; i++) {
		uint16_t *used_idx = &ring_used(&ring)->idx;

		*(uint32_t *)ring_at(&ring, RING_DATA + 4 * (i % SIZE)) = i;
		ring_desc(&ring, RING_DESC, i % SIZE, RING_DATA + 4 * (i % SIZE), 4, 0, 0);
		ring_offer(&ring, i % SIZE);
		if (__atomic_load_n(ring_avail_event(&ring), __ATOMIC_SEQ_CST) == (uint16_t)i)
			__atomic_fetch_add((unsigned *)arg, 1, __ATOMIC_SEQ_CST);
		while ((uint16_t)(i + 1 - __atomic_load_n(used_idx, __ATOMIC_ACQUIRE)) >= SIZE)
			sched_yield();
	}
	return NULL;
}

START_TEST(a_driver_on_another_cpu_loses_no_request)
{
	unsigned rings = 0, done = 0, value;
	pthread_t driver;

	ck_assert_int_eq(pthread_create(&driver, NULL, race_driver, &rings), 0);
	while (done < RACE_REQUESTS) {
		int r = pop();

		if (r == 1) {
			if (virtqueue_chain_read(&chain, &value, sizeof(value)) != 0 || value != done)
				ck_abort_msg("request %u reads %u", done, value);
			virtqueue_push(&queue, chain.head, 0);
			done++;
		} else if (!virtqueue_enable_notify(&queue)) {
			/* A lost notification hangs here, and the test's timeout ends it. */
			while (__atomic_exchange_n(&rings, 0, __ATOMIC_SEQ_CST) == 0)
				sched_yield();
		}
		/* An assertion each time is one more line of Check's for its parent to read. */
		if (r < 0)
			ck_abort_msg("request %u: %d", done, r);
	}
	pthread_join(driver, NULL);
}
END_TEST

static void *flip_descriptor(void *arg)
{
	struct vring_desc *desc = ring_at(&ring, RING_DESC);

	for (uint32_t i = 0; !__atomic_load_n((bool *)arg, __ATOMIC_RELAXED); i++) {
		__atomic_store_n(&desc->len, i & 1 ? 16 : UINT32_MAX, __ATOMIC_RELAXED);
		__atomic_store_n(&desc->flags, i & 2 ? I : W, __ATOMIC_RELAXED);
	}
	return NULL;
}

START_TEST(a_descriptor_that_changes_meanwhile_is_judged_as_it_is_used)
{
	bool stop = false;
	pthread_t guest;

	ring_desc(&ring, RING_DESC, 0, RING_TABLE, 16, W, 0);
	ring_desc(&ring, RING_TABLE, 0, RING_DATA, 16, W, 0);
	ck_assert_int_eq(pthread_create(&guest, NULL, flip_descriptor, &stop), 0);
	for (unsigned i = 0; i < 500000; i++) {
		ring_avail(&ring)->idx = queue.state.next_avail + 1;
		if (pop() == 1 && (chain.in_count != 1 || chain.in[0].iov_len != 16))
			ck_abort_msg("%zu bytes got through", chain.in[0].iov_len);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(guest, NULL);
}
END_TEST

Suite *virtqueue_suite(void)
{
	Suite *suite = suite_create("virtqueue");
	TCase *tc = tcase_create("virtqueue");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, a_direct_chain_is_split_into_out_and_in);
	tcase_add_test(tc, an_indirect_chain_may_follow_direct_descriptors);
	tcase_add_test(tc, an_indirect_chain_may_be_longer_than_the_queue);
	tcase_add_test(tc, a_direct_chain_may_use_the_whole_queue);
	tcase_add_test(tc, empty_buffers_are_legal_and_dropped);
	tcase_add_loop_test(tc, a_broken_ring_is_eproto, 0, ARRAY_SIZE(brokens));
	tcase_add_test(tc, a_chain_with_too_many_segments_is_eproto);
	tcase_add_test(tc, a_chain_holds_4_gib_and_no_more);
	tcase_add_loop_test(tc, a_bad_ring_does_not_start, 0, ARRAY_SIZE(bad_starts));
	tcase_add_test(tc, indices_wrap_at_65536);
	tcase_add_loop_test(tc, used_event_says_when_to_interrupt, 0, ARRAY_SIZE(events));
	tcase_add_test(tc, without_event_idx_a_flag_suppresses_interrupts);
	tcase_add_test(tc, avail_event_follows_what_was_taken);
	tcase_add_test(tc, without_event_idx_a_flag_suppresses_notifications);
	tcase_add_loop_test(tc, a_request_that_came_before_notifications_were_on_is_not_lost, 0, 2);
	tcase_add_test(tc, a_chain_is_read_and_written_across_segments);
	tcase_add_test(tc, a_driver_on_another_cpu_loses_no_request);
	if (!UNDER_TSAN)
		tcase_add_test(tc, a_descriptor_that_changes_meanwhile_is_judged_as_it_is_used);
	suite_add_tcase(suite, tc);
	return suite;
}
