/* The I/O thread with disks that have rates: who waits, for how long, and who does not. No KVM: the test is the CPU. */
#include "suites.h"

#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/block.h"
#include "backend/block_file.h"
#include "machine/vm.h"
#include "util/bytes.h"
#include "util/clock.h"

#define DISKS   2
#define SIZE    8
#define FOREVER (60 * NS_PER_S)

/* Each disk's rings, header, data and status lie in a MiB of their own. */
#define AREA(disk)   ((gpa_t)MIB(disk))
#define DESC(disk)   (AREA(disk) + 0x1000)
#define AVAIL(disk)  (AREA(disk) + 0x2000)
#define USED(disk)   (AREA(disk) + 0x3000)
#define HEADER(disk) (AREA(disk) + 0x4000)
#define DATA(disk)   (AREA(disk) + 0x5000)
#define STATUS(disk) (AREA(disk) + 0x6000)

static struct lodge_vm *vm;

static struct irq_line no_line(void *ctx, unsigned pin)
{
	(void)ctx;
	(void)pin;
	return (struct irq_line){0};
}

static void put(unsigned disk, uint64_t offset, uint32_t value)
{
	bus_write(&vm->board.mmio, VIRTIO_MMIO_BASE + disk * VIRTIO_MMIO_STRIDE + offset, 4, value);
}

static void *at(gpa_t gpa)
{
	return guest_memory_at(&vm->mem, gpa, 1);
}

static uint16_t served(unsigned disk)
{
	const struct vring_used *used = at(USED(disk));

	return __atomic_load_n(&used->idx, __ATOMIC_ACQUIRE);
}

static void drive(unsigned disk)
{
	static const uint32_t states[] = {1, 3, 11, 15};

	memset(at(AVAIL(disk)), 0, 0x1000);
	memset(at(USED(disk)), 0, 0x1000);
	put(disk, VIRTIO_MMIO_STATUS, states[0]);
	put(disk, VIRTIO_MMIO_STATUS, states[1]);
	put(disk, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	put(disk, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	put(disk, VIRTIO_MMIO_STATUS, states[2]);
	put(disk, VIRTIO_MMIO_QUEUE_NUM, SIZE);
	put(disk, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)DESC(disk));
	put(disk, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)AVAIL(disk));
	put(disk, VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)USED(disk));
	put(disk, VIRTIO_MMIO_QUEUE_READY, 1);
	put(disk, VIRTIO_MMIO_STATUS, states[3]);
}

/* Reads `count` times 512 bytes; the descriptors are the same each time. */
static void offer_reads(unsigned disk, unsigned count)
{
	const struct vring_desc desc[] = {
		{HEADER(disk), 16, VRING_DESC_F_NEXT, 1},
		{DATA(disk), 512, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 2},
		{STATUS(disk), 1, VRING_DESC_F_WRITE, 0},
	};
	struct vring_avail *avail = at(AVAIL(disk));

	memcpy(at(DESC(disk)), desc, sizeof(desc));
	memset(at(HEADER(disk)), 0, 16);
	__atomic_store_n(&avail->idx, (uint16_t)(avail->idx + count), __ATOMIC_RELEASE);
	put(disk, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
}

static void expect_served(unsigned disk, uint16_t count)
{
	while (served(disk) != count)
		usleep(200); /* Check's time limit ends it */
}

static void set_rate(unsigned disk, uint64_t bytes, uint64_t requests)
{
	const struct lodge_disk_rate rate = {bytes, requests};

	ck_assert_int_eq(lodge_vm_set_disk_rate(vm, disk, &rate), 0);
}

static uint64_t throttled(unsigned disk)
{
	return virtio_blk_throttled_ns(&vm->board.slots[disk].blk);
}

/* A backend that tells nobody when it is done, which it is when a test says so. */
static struct {
	struct block_backend block;
	struct block_backend *real; /* whose size it has */
	struct block_request *requests;
	atomic_uint taken, asked;
	atomic_bool done;
} silent;

static void silent_submit(struct block_backend *block, struct block_request *request)
{
	(void)block;
	request->result = 0;
	request->next = silent.requests;
	silent.requests = request;
	silent.taken++;
}

static void silent_kick(struct block_backend *block)
{
	(void)block;
}

static struct block_request *silent_reap(struct block_backend *block, bool wait)
{
	struct block_request *request = silent.requests;

	(void)block;
	silent.asked++;
	if (!request || (!wait && !silent.done))
		return NULL;
	silent.requests = request->next;
	return request;
}

static void silent_close(struct block_backend *block)
{
	(void)block;
	silent.real->ops->close(silent.real);
}

static const struct block_ops silent_ops = {.submit = silent_submit,
	.kick = silent_kick,
	.reap = silent_reap,
	.close = silent_close};

static bool asks_to_be_rung(unsigned disk)
{
	const struct vring_used *used = at(USED(disk));

	return !__atomic_load_n(&used->flags, __ATOMIC_ACQUIRE);
}

/* Reaches a state that comes by itself; Check's time limit ends it. */
#define until(condition)     \
	while (!(condition)) \
	usleep(200)

/* The thread looks, for as long as it takes. */
static void offer_silently(void)
{
	offer_reads(0, 1);
	until(silent.taken == 1 && silent.asked > 20);
}

enum kind { REAL, SILENT, SILENT_WITHOUT_LOOKS };

static void set_up_with(enum kind kind)
{
	struct board_config config;

	vm = calloc(1, sizeof(*vm));
	ck_assert_int_eq(guest_memory_add(&vm->mem, 0, MIB(DISKS)), 0);
	for (unsigned i = 0; i < DISKS; i++)
		ck_assert_int_eq(block_memory_open(MIB(1), &vm->disks[i].block, NULL), 0);
	if (kind != REAL) {
		memset(&silent, 0, sizeof(silent));
		silent.real = vm->disks[0].block;
		silent.block = *silent.real;
		silent.block.ops = &silent_ops;
		vm->disks[0].block = &silent.block;
		vm->disks[0].no_poll = kind == SILENT_WITHOUT_LOOKS;
	}
	config = (struct board_config){
		.mem = &vm->mem,
		.irq = no_line,
		.irq_level = no_line,
		.disks = vm->disks,
		.disk_count = DISKS,
		.cpus = 1,
	};
	vm->config.disk_count = DISKS;
	vm->disks[1].requests_per_s = 1000000; /* what a configuration gives */
	ck_assert_int_eq(board_init(&vm->board, &config), 0);
	ck_assert_int_eq(io_thread_init(vm), 0);
	if (kind != REAL)
		vm->io.slots[0].wait = (struct busy_wait){.yield_max = FOREVER, .bound = FOREVER};
	ck_assert_int_eq(io_thread_start(vm), 0);
	for (unsigned i = 0; i < DISKS; i++)
		drive(i);
}

static void set_up(void)
{
	set_up_with(REAL);
}

static void set_up_silent(void)
{
	set_up_with(SILENT);
}

static void set_up_without_looks(void)
{
	set_up_with(SILENT_WITHOUT_LOOKS);
}

static void tear_down(void)
{
	uint64_t start = clock_ns();

	/* Nobody waits for a request that waits. */
	io_thread_stop(vm);
	io_thread_join(vm);
	ck_assert_uint_lt(clock_ns() - start, FOREVER);
	io_thread_fini(vm);
	board_fini(&vm->board);
	for (unsigned i = 0; i < DISKS; i++)
		vm->disks[i].block->ops->close(vm->disks[i].block);
	guest_memory_fini(&vm->mem);
	free(vm);
}

/* One request goes, and the next has to wait for more than an hour. */
static void block_disk(unsigned disk)
{
	set_rate(disk, 0, 1);
	offer_reads(disk, 1);
	expect_served(disk, 1);
	virtio_blk_set_rate(&vm->board.slots[disk].blk, 1, 0);
	offer_reads(disk, 2);
	expect_served(disk, 2); /* larger than the bucket: into debt */
	while (!throttled(disk))
		usleep(200);
}

START_TEST(the_rate_is_kept_by_the_clock_alone)
{
	uint64_t start = clock_ns();

	set_rate(0, 0, 5);
	offer_reads(0, SIZE); /* and no doorbell rings again */
	expect_served(0, SIZE);
	ck_assert_uint_ge(clock_ns() - start, NS_PER_S / 2);
	ck_assert_uint_ge(throttled(0), NS_PER_S / 4);
	ck_assert_uint_le(throttled(0), clock_ns() - start);
}
END_TEST

START_TEST(another_disk_is_not_held_up)
{
	block_disk(0);
	for (uint16_t i = 1; i <= 100; i++) {
		offer_reads(1, 1);
		expect_served(1, i);
	}
	ck_assert_uint_eq(served(0), 2);
	ck_assert_uint_eq(throttled(1), 0);
}
END_TEST

START_TEST(doorbells_do_not_hurry_a_request_that_waits)
{
	block_disk(0);
	for (int i = 0; i < 100; i++)
		put(0, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	offer_reads(1, 1);
	expect_served(1, 1);
	ck_assert_uint_eq(served(0), 2);
}
END_TEST

static uint64_t cpu_time_of_300_ms(void)
{
	clockid_t clock;
	uint64_t before;

	ck_assert_int_eq(pthread_getcpuclockid(vm->io.thread.id, &clock), 0);
	before = clock_read(clock);
	usleep(300000);
	return clock_read(clock) - before;
}

START_TEST(to_wait_costs_no_cpu_time)
{
	block_disk(0);
	ck_assert_uint_lt(cpu_time_of_300_ms(), 20000000);
}
END_TEST

START_TEST(a_rate_that_is_lifted_lets_them_go_at_once)
{
	block_disk(0);
	set_rate(0, 0, 0);
	expect_served(0, 3);
	offer_reads(0, 1);
	expect_served(0, 4);
}
END_TEST

START_TEST(a_rate_that_is_raised_lets_them_go_as_it_says)
{
	block_disk(0);
	set_rate(0, MIB(1), 0);
	expect_served(0, 3);
}
END_TEST

START_TEST(a_reset_drops_what_waits_and_not_the_debt)
{
	uint64_t waited;

	block_disk(0);
	put(0, VIRTIO_MMIO_STATUS, 0);
	waited = throttled(0);
	usleep(2000);
	ck_assert_uint_eq(throttled(0), waited);
	drive(0);
	offer_reads(0, 1);
	while (throttled(0) == waited)
		usleep(200);
	ck_assert_uint_eq(served(0), 0);
	set_rate(0, 0, 0);
	expect_served(0, 1);
}
END_TEST

START_TEST(answers_that_are_near_are_looked_for)
{
	offer_silently();
	silent.done = true;
	expect_served(0, 1);
}
END_TEST

START_TEST(while_it_looks_nobody_has_to_ring_and_afterwards_each_request_is_served)
{
	struct vring_avail *avail = at(AVAIL(0));

	ck_assert(asks_to_be_rung(0));
	offer_silently();
	ck_assert(!asks_to_be_rung(0));
	__atomic_store_n(&avail->idx, 2, __ATOMIC_RELEASE);
	until(silent.taken == 2);
	silent.done = true;
	expect_served(0, 2);
	until(asks_to_be_rung(0));
	/* As a driver does it: a ring where it is asked for. */
	for (uint16_t i = 3; i <= 3000; i++) {
		__atomic_store_n(&avail->idx, i, __ATOMIC_SEQ_CST);
		if (asks_to_be_rung(0))
			put(0, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
		while (served(0) != i)
			sched_yield();
	}
}
END_TEST

START_TEST(other_disks_are_served_while_one_is_looked_at)
{
	offer_silently();
	for (uint16_t i = 1; i <= 100; i++) {
		offer_reads(1, 1);
		expect_served(1, i);
	}
	ck_assert_uint_eq(served(0), 0);
}
END_TEST

START_TEST(a_pause_does_not_wait_until_it_has_looked_enough)
{
	vm->gate.state = GATE_RUNS;
	offer_silently();
	pause_request(vm, HOLD_PAUSE);
	until(pause_is_still(vm, HOLD_PAUSE));
	ck_assert_uint_eq(served(0), 1); /* waited for */
	pause_release(vm, HOLD_PAUSE);
	silent.done = true;
	offer_reads(0, 1);
	expect_served(0, 2);
	vm->gate.state = GATE_IDLE;
}
END_TEST

START_TEST(a_reset_does_not_wait_until_it_has_looked_enough)
{
	offer_silently();
	put(0, VIRTIO_MMIO_STATUS, 0);
	ck_assert_uint_eq(served(0), 1);
	drive(0);
	silent.done = true;
	offer_reads(0, 1);
	expect_served(0, 1);
}
END_TEST

START_TEST(an_end_does_not_wait_until_it_has_looked_enough)
{
	offer_silently(); /* tear_down() does the rest */
}
END_TEST

START_TEST(without_a_request_under_way_it_sleeps)
{
	offer_silently();
	silent.done = true;
	expect_served(0, 1);
	ck_assert_uint_lt(cpu_time_of_300_ms(), 20000000);
}
END_TEST

START_TEST(a_disk_without_looks_has_it_sleep)
{
	offer_reads(0, 1);
	until(silent.taken == 1);
	ck_assert_uint_lt(cpu_time_of_300_ms(), 20000000);
	ck_assert(asks_to_be_rung(0));
	ck_assert_uint_lt(silent.asked, 5);
}
END_TEST

START_TEST(a_disk_that_is_not_there_has_no_rate)
{
	const struct lodge_disk_rate rate = {1, 1};

	ck_assert_int_eq(lodge_vm_set_disk_rate(vm, DISKS, &rate), -EINVAL);
	ck_assert_int_eq(lodge_vm_set_disk_rate(vm, UINT32_MAX, &rate), -EINVAL);
	offer_reads(1, 5);
	expect_served(1, 5);
}
END_TEST

Suite *io_thread_suite(void)
{
	Suite *suite = suite_create("machine/io_thread");
	TCase *tcase = tcase_create("disk rates");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 50);
	tcase_add_test(tcase, the_rate_is_kept_by_the_clock_alone);
	tcase_add_test(tcase, another_disk_is_not_held_up);
	tcase_add_test(tcase, doorbells_do_not_hurry_a_request_that_waits);
	tcase_add_test(tcase, to_wait_costs_no_cpu_time);
	tcase_add_test(tcase, a_rate_that_is_lifted_lets_them_go_at_once);
	tcase_add_test(tcase, a_rate_that_is_raised_lets_them_go_as_it_says);
	tcase_add_test(tcase, a_reset_drops_what_waits_and_not_the_debt);
	tcase_add_test(tcase, a_disk_that_is_not_there_has_no_rate);
	tcase = tcase_create("polling");
	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, set_up_silent, tear_down);
	tcase_set_timeout(tcase, 50);
	tcase_add_test(tcase, answers_that_are_near_are_looked_for);
	tcase_add_test(tcase, while_it_looks_nobody_has_to_ring_and_afterwards_each_request_is_served);
	tcase_add_test(tcase, other_disks_are_served_while_one_is_looked_at);
	tcase_add_test(tcase, a_pause_does_not_wait_until_it_has_looked_enough);
	tcase_add_test(tcase, a_reset_does_not_wait_until_it_has_looked_enough);
	tcase_add_test(tcase, an_end_does_not_wait_until_it_has_looked_enough);
	tcase_add_test(tcase, without_a_request_under_way_it_sleeps);
	tcase = tcase_create("not polling");
	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, set_up_without_looks, tear_down);
	tcase_add_test(tcase, a_disk_without_looks_has_it_sleep);
	return suite;
}
