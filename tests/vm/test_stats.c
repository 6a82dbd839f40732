/* Statistics of guests that run, and disk rates. Times are bounded from below only: a machine may be slow. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/elf_builder.h"
#include "lib/files.h"
#include "lib/guest.h"
#include "util/bytes.h"
#include "vm/suites.h"

#define MS 1000000ull

static struct guest guest;
static struct lodge_stats stats, later;
static struct lodge_vm *vm;
static pthread_t thread;

/* mov dx,0x3ff; 1: in al,dx; jmp 1b: COM1's scratch register, for ever */
static const uint8_t exit_for_ever[] = {0x66, 0xba, 0xff, 0x03, 0xec, 0xeb, 0xfd};

static void make(void)
{
	ck_assert_msg(lodge_vm_new(&guest.config, &vm, &guest.error) == 0, "%s", guest.error.text);
}

static void *run_vm(void *ctx)
{
	(void)ctx;
	lodge_vm_run(vm, &guest.result);
	return NULL;
}

static void start_exits(unsigned cpus)
{
	elf_write_pvh("exit.elf", exit_for_ever, sizeof(exit_for_ever));
	guest_init(&guest, NULL);
	guest.config.kernel = "exit.elf";
	guest.config.cpus = cpus;
	guest.config.timeout_ms = 0; /* what a test waits for must come while it runs */
	make();
	pthread_create(&thread, NULL, run_vm, NULL);
}

static void stop(void)
{
	lodge_vm_stop(vm);
	pthread_join(thread, NULL);
}

static void read_stats(struct lodge_stats *ret_stats)
{
	ck_assert_int_eq(lodge_vm_stats(vm, ret_stats), 0);
}

static void read_until_exits(uint64_t exits)
{
	do {
		usleep(1000);
		read_stats(&stats);
	} while (stats.vcpus[0].exits < exits);
}

START_TEST(a_vm_that_has_not_run_has_used_nothing)
{
	guest_init(&guest, "run=exit 3");
	guest.config.cpus = 2;
	make();
	read_stats(&stats);
	ck_assert(!stats.paused);
	ck_assert_uint_eq(stats.uptime_ns + stats.paused_ns, 0);
	ck_assert_uint_eq(stats.vcpu_count, 2);
	ck_assert_uint_eq(stats.vcpus[0].guest_ns + stats.vcpus[0].exit_ns + stats.vcpus[0].exits, 0);
	ck_assert_uint_eq(stats.exit_count + stats.device_count + stats.disk_count, 0);
	ck_assert_uint_eq(stats.memory, guest.config.memory);
	ck_assert_uint_lt(stats.memory_resident, stats.memory);
	lodge_vm_free(vm);
}
END_TEST

START_TEST(counts_and_times_grow_while_the_guest_runs)
{
	start_exits(2);
	read_until_exits(1000);
	do
		read_stats(&later);
	while (later.vcpus[0].exits < stats.vcpus[0].exits + 1000 ||
		later.vcpus[0].guest_ns <= stats.vcpus[0].guest_ns);
	ck_assert_uint_gt(later.uptime_ns, stats.uptime_ns);
	ck_assert_uint_gt(later.vcpus[0].exit_ns, stats.vcpus[0].exit_ns);
	ck_assert_uint_lt(later.vcpus[0].exit_ns, later.uptime_ns);
	ck_assert_uint_lt(later.vcpus[0].guest_ns, later.uptime_ns);
	ck_assert_uint_eq(later.vcpus[1].exits, 0); /* it waits for a SIPI */
	ck_assert_uint_ge(guest_count(later.exits, later.exit_count, "io"), 2000);
	ck_assert_uint_ge(guest_count(later.devices, later.device_count, "serial"), 2000);
	stop();
	lodge_vm_free(vm);
}
END_TEST

/* Its thread is made to wait in its handlers, by others that want its CPU. */
START_TEST(guest_time_never_falls)
{
	pid_t rivals[4];
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(rivals); i++) {
		rivals[i] = fork();
		while (!rivals[i])
			;
	}
	start_exits(1);
	read_until_exits(10);
	for (i = 0; i < 300; i++) {
		read_stats(&later);
		ck_assert_uint_ge(later.vcpus[0].guest_ns, stats.vcpus[0].guest_ns);
		stats = later;
		usleep(1000);
	}
	for (i = 0; i < ARRAY_SIZE(rivals); i++) {
		kill(rivals[i], SIGKILL);
		waitpid(rivals[i], NULL, 0);
	}
	stop();
	lodge_vm_free(vm);
}
END_TEST

START_TEST(after_the_run_the_last_values_are_kept_and_are_the_results)
{
	start_exits(2);
	read_until_exits(1000);
	stop();
	read_stats(&later);
	ck_assert_uint_ge(later.vcpus[0].exits, stats.vcpus[0].exits);
	ck_assert_uint_ge(later.vcpus[0].guest_ns, stats.vcpus[0].guest_ns);
	ck_assert_uint_eq(guest.result.vcpu_count, 2);
	ck_assert_uint_eq(guest.result.vcpus[0].exits, later.vcpus[0].exits);
	ck_assert_uint_gt(guest.result.vcpus[0].guest_ns, 0);
	ck_assert_uint_eq(guest.result.run_us, later.uptime_ns / 1000);
	ck_assert_uint_eq(guest_count(guest.result.exits, guest.result.exit_count, "io"),
		guest_count(later.exits, later.exit_count, "io"));
	usleep(20000);
	read_stats(&stats);
	ck_assert_uint_eq(stats.uptime_ns, later.uptime_ns);
	ck_assert_uint_eq(stats.vcpus[0].exits, later.vcpus[0].exits);
	lodge_vm_free(vm);
}
END_TEST

START_TEST(a_pause_is_told_and_counted)
{
	start_exits(1);
	read_until_exits(10);
	ck_assert(!stats.paused);
	ck_assert_uint_eq(stats.paused_ns, 0);
	ck_assert_int_eq(lodge_vm_pause(vm), 0);
	read_stats(&stats);
	usleep(50000);
	read_stats(&later);
	ck_assert(stats.paused && later.paused);
	ck_assert_uint_ge(later.paused_ns, stats.paused_ns + 50 * MS);
	ck_assert_uint_eq(later.vcpus[0].exits, stats.vcpus[0].exits);
	lodge_vm_resume(vm);
	read_stats(&stats);
	ck_assert(!stats.paused);
	usleep(20000);
	read_stats(&later);
	ck_assert_uint_eq(later.paused_ns, stats.paused_ns);
	ck_assert_int_eq(lodge_vm_pause(vm), 0);
	usleep(200000);
	ck_assert_int_eq(lodge_vm_pause(vm), 0); /* still the same one */
	stop();
	read_stats(&later);
	ck_assert(!later.paused);
	ck_assert_uint_ge(later.paused_ns, stats.paused_ns + 200 * MS);
	ck_assert_uint_lt(later.paused_ns, later.uptime_ns + 1000 * MS);
	lodge_vm_free(vm);
}
END_TEST

static void *read_for_ever(void *end)
{
	struct lodge_stats mine;

	while (!__atomic_load_n((bool *)end, __ATOMIC_RELAXED))
		lodge_vm_stats(vm, &mine);
	return NULL;
}

START_TEST(any_thread_may_read_through_start_and_end)
{
	const struct lodge_disk disk = {.size = 1 << 20};
	pthread_t readers[2];
	bool end = false;

	guest_init(&guest, "run=blk fill 0 0 64 1;blk verify 0 0 64 1;exit 5");
	guest.config.cpus = 2;
	guest.config.disks = &disk;
	guest.config.disk_count = 1;
	make();
	for (int i = 0; i < 2; i++)
		pthread_create(&readers[i], NULL, read_for_ever, &end);
	ck_assert_int_eq(lodge_vm_run(vm, &guest.result), 0);
	__atomic_store_n(&end, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		pthread_join(readers[i], NULL);
	ck_assert_int_eq(guest.result.status, 5);
	lodge_vm_free(vm);
}
END_TEST

START_TEST(memory_is_what_the_guest_has_touched)
{
	struct lodge_vm *other;
	struct lodge_stats of_other;

	start_exits(1);
	read_until_exits(10);
	ck_assert_uint_eq(stats.memory, 32 << 20);
	ck_assert_uint_gt(stats.memory_resident, 0);
	ck_assert_uint_lt(stats.memory_resident, stats.memory);
	ck_assert_uint_le(stats.memory_shared, stats.memory_resident);
	ck_assert_uint_gt(stats.vmm_resident, 0);
	/* A second VM in the process is none of the first one's memory. */
	ck_assert_int_eq(lodge_vm_new(&guest.config, &other, &guest.error), 0);
	ck_assert_int_eq(lodge_vm_stats(other, &of_other), 0);
	ck_assert_uint_gt(of_other.memory_resident, 0);
	ck_assert_uint_ge(of_other.vmm_resident, stats.memory_resident / 2);
	stop();
	lodge_vm_free(other);
	lodge_vm_free(vm);
}
END_TEST

/* Disks */

START_TEST(disk_latency_is_reported)
{
	const struct lodge_disk disk = {.size = 1 << 20};
	const struct lodge_latency *latency = &guest.result.disks[0].latency;

	guest_init(&guest, "run=blk fill 0 0 300 1;blk flush 0;blk verify 0 0 300 1;exit 5");
	ck_assert_int_eq(guest_run_with_disk(&guest, &disk), 5);
	ck_assert_uint_eq(latency->count, guest.result.disks[0].reads + guest.result.disks[0].writes +
						  guest.result.disks[0].flushes +
						  guest.result.disks[0].others);
	ck_assert_uint_ge(latency->count, 7);
	ck_assert_uint_le(latency->p50_us, latency->p90_us);
	ck_assert_uint_le(latency->p90_us, latency->p99_us);
	ck_assert_uint_le(latency->p99_us, latency->p999_us);
	ck_assert_uint_le(latency->p999_us, latency->max_us);
	ck_assert_uint_gt(latency->max_us, 0);
	ck_assert_uint_lt(latency->max_us, guest.result.run_us);
	ck_assert_uint_eq(guest.result.disks[0].throttled_ns, 0);
}
END_TEST

/* 128 KiB at once and 128 KiB later, by pieces of 64 KiB. */
START_TEST(a_disk_keeps_its_rate_of_bytes)
{
	const struct lodge_disk disk = {.size = 1 << 20, .rate = {.bytes_per_s = 128 << 10}};

	guest_init(&guest, "run=blk fill 0 0 512 1;exit 5");
	ck_assert_msg(guest_run_with_disk(&guest, &disk) == 5, "%s", guest.console);
	ck_assert_uint_eq(guest.result.disks[0].bytes_written, 256 << 10);
	ck_assert_uint_ge(guest.result.run_us, 990000);
	ck_assert_uint_gt(guest.result.disks[0].throttled_ns, 0);
	ck_assert_uint_lt(guest.result.disks[0].throttled_ns, guest.result.run_us * 1000);
	ck_assert_uint_lt(guest.result.disks[0].latency.p50_us, 900000);
}
END_TEST

START_TEST(a_disk_keeps_its_rate_of_requests)
{
	const struct lodge_disk disk = {.size = 1 << 20, .rate = {.requests_per_s = 5}};
	const struct lodge_disk_stats *result = &guest.result.disks[0];

	guest_init(&guest, "run=blk write 0 0 a;blk write 0 0 a;blk write 0 0 a;blk write 0 0 a;"
			   "blk write 0 0 a;blk write 0 0 a;blk flush 0;blk id 0;blk write 0 0 a;exit 5");
	ck_assert_msg(guest_run_with_disk(&guest, &disk) == 5, "%s", guest.console);
	ck_assert_uint_ge(guest.result.run_us, (result->reads + result->writes - 5) * 200000 - 10000);
	ck_assert_uint_gt(result->throttled_ns, 0);
}
END_TEST

START_TEST(a_run_ends_while_a_disk_waits)
{
	const struct lodge_disk disk = {.size = 1 << 20, .rate = {.bytes_per_s = 1}};

	guest_init(&guest, "run=blk fill 0 0 1 1;blk fill 0 1 1 1");
	guest.config.disks = &disk;
	guest.config.disk_count = 1;
	make();
	pthread_create(&thread, NULL, run_vm, NULL);
	do {
		usleep(1000);
		read_stats(&stats);
		ck_assert_uint_eq(stats.disk_count, 1);
	} while (!stats.disks[0].throttled_ns);
	stop();
	ck_assert_int_eq(guest.result.status, LODGE_STATUS_STOPPED);
	ck_assert_uint_eq(guest.result.disks[0].bytes_written, 512);
	ck_assert_uint_ge(guest.result.disks[0].throttled_ns, stats.disks[0].throttled_ns);
	lodge_vm_free(vm);
}
END_TEST

START_TEST(a_rate_changes_while_the_guest_runs)
{
	const struct lodge_disk disk = {.size = 1 << 20};
	const struct lodge_disk_rate slow = {.bytes_per_s = 1}, none = {0};

	guest_init(&guest, "run=blk fill 0 0 1 1;blk fill 0 1 1 1;exit 5");
	guest.config.disks = &disk;
	guest.config.disk_count = 1;
	make();
	ck_assert_int_eq(lodge_vm_set_disk_rate(vm, 1, &slow), -EINVAL);
	ck_assert_int_eq(lodge_vm_set_disk_rate(vm, 0, &slow), 0);
	pthread_create(&thread, NULL, run_vm, NULL);
	do {
		usleep(1000);
		read_stats(&stats);
	} while (!stats.disks[0].throttled_ns);
	ck_assert_int_eq(lodge_vm_set_disk_rate(vm, 0, &none), 0);
	pthread_join(thread, NULL);
	ck_assert_msg(guest.result.status == 5, "%s", guest.result.console_tail);
	ck_assert_uint_eq(guest.result.disks[0].bytes_written, 1024);
	ck_assert_int_eq(lodge_vm_set_disk_rate(vm, 0, &slow), 0);
	lodge_vm_free(vm);
}
END_TEST

Suite *stats_suite(void)
{
	Suite *suite = suite_create("stats");
	TCase *usage = tcase_create("usage"), *disks = tcase_create("disks");

	suite_add_tcase(suite, usage);
	tcase_set_timeout(usage, 60);
	tcase_add_checked_fixture(usage, files_setup, files_teardown);
	tcase_add_test(usage, a_vm_that_has_not_run_has_used_nothing);
	tcase_add_test(usage, counts_and_times_grow_while_the_guest_runs);
	tcase_add_test(usage, guest_time_never_falls);
	tcase_add_test(usage, after_the_run_the_last_values_are_kept_and_are_the_results);
	tcase_add_test(usage, a_pause_is_told_and_counted);
	tcase_add_test(usage, any_thread_may_read_through_start_and_end);
	tcase_add_test(usage, memory_is_what_the_guest_has_touched);
	suite_add_tcase(suite, disks);
	tcase_set_timeout(disks, 120);
	tcase_add_checked_fixture(disks, files_setup, files_teardown);
	tcase_add_test(disks, disk_latency_is_reported);
	tcase_add_test(disks, a_disk_keeps_its_rate_of_bytes);
	tcase_add_test(disks, a_disk_keeps_its_rate_of_requests);
	tcase_add_test(disks, a_run_ends_while_a_disk_waits);
	tcase_add_test(disks, a_rate_changes_while_the_guest_runs);
	return suite;
}
