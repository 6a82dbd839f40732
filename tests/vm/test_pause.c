/* A paused guest: nothing of it moves, whatever it was doing, and nothing hangs. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/elf_builder.h"
#include "lib/files.h"
#include "lib/guest.h"
#include "vm/suites.h"

#define A_WHILE_US 200000

static struct guest guest;

/* mov dx,0x3f8; mov al,'x'; 1: out dx,al; jmp 1b */
static const uint8_t print_for_ever[] = {0x66, 0xba, 0xf8, 0x03, 0xb0, 'x', 0xee, 0xeb, 0xfd};
/* cli; 1: hlt; jmp 1b */
static const uint8_t halt[] = {0xfa, 0xf4, 0xeb, 0xfd};

static void use_kernel(const uint8_t *code, size_t size)
{
	elf_write_pvh("kernel.elf", code, size);
	guest_init(&guest, NULL);
	guest.config.kernel = "kernel.elf";
}

START_TEST(a_paused_guest_stands_still_until_it_is_resumed)
{
	off_t size;

	use_kernel(print_for_ever, sizeof(print_for_ever));
	guest_start(&guest);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(lodge_vm_pause(guest.vm), 0);
		ck_assert(guest_stands_still(&guest));
		size = lseek(guest.captured.out, 0, SEEK_END);
		ck_assert_int_eq(lodge_vm_resume(guest.vm), 0);
		while (lseek(guest.captured.out, 0, SEEK_END) == size)
			usleep(1000);
	}
	lodge_vm_stop(guest.vm);
	ck_assert_int_eq(guest_finish(&guest), 115);
}
END_TEST

START_TEST(only_a_vm_that_runs_is_paused)
{
	struct lodge_vm *vm;

	guest_init(&guest, "run=exit 1");
	ck_assert_int_eq(lodge_vm_new(&guest.config, &vm, &guest.error), 0);
	ck_assert_int_eq(lodge_vm_pause(vm), -ESRCH);
	ck_assert_int_eq(lodge_vm_resume(vm), -ESRCH);
	ck_assert_int_eq(lodge_vm_run(vm, &guest.result), 0);
	ck_assert_int_eq(guest.result.status, 1);
	ck_assert_int_eq(lodge_vm_pause(vm), -ESRCH);
	ck_assert_int_eq(lodge_vm_resume(vm), -ESRCH);
	lodge_vm_free(vm);
}
END_TEST

/* Threads are held up where they trace something, into a pipe that is full. */

static int trace_pipe[2];

static void hold_traces(unsigned topics)
{
	static const char bytes[4096];

	ck_assert_int_eq(pipe2(trace_pipe, O_CLOEXEC), 0);
	fcntl(trace_pipe[1], F_SETFL, O_NONBLOCK);
	while (write(trace_pipe[1], bytes, sizeof(bytes)) > 0)
		;
	fcntl(trace_pipe[1], F_SETFL, 0);
	guest.config.trace = topics;
	guest.config.trace_fd = trace_pipe[1];
}

/* Reads all there is; whether there was anything. */
static bool drain_traces(void)
{
	char bytes[4096];
	bool any = false;

	fcntl(trace_pipe[0], F_SETFL, O_NONBLOCK);
	while (read(trace_pipe[0], bytes, sizeof(bytes)) > 0)
		any = true;
	return any;
}

static atomic_int paused; /* what the pause returned; 1: it has not */

static void *pause_vm(void *vm)
{
	paused = lodge_vm_pause(vm);
	return NULL;
}

/* For a guest one of whose threads is soon held up by a trace, the others being free. Returns the thread that waits. */
static pthread_t begin_pause_that_waits(void)
{
	pthread_t thread;

	for (int tries = 0; tries < 50; tries++) {
		usleep(A_WHILE_US); /* it gets there */
		paused = 1;
		pthread_create(&thread, NULL, pause_vm, guest.vm);
		usleep(A_WHILE_US);
		if (paused == 1)
			return thread;
		/* It did not. */
		pthread_join(thread, NULL);
		ck_assert_int_eq(lodge_vm_resume(guest.vm), 0);
	}
	ck_abort_msg("no pause has waited");
}

static void expect_pause_to_wait(void)
{
	pthread_t thread = begin_pause_that_waits();

	while (paused == 1) {
		drain_traces();
		usleep(1000);
	}
	pthread_join(thread, NULL);
	ck_assert_int_eq(paused, 0);
	drain_traces();
	usleep(A_WHILE_US);
	ck_assert(!drain_traces());
}

static const unsigned cpu_counts[] = {1, 4};

START_TEST(a_pause_waits_for_the_last_vcpu)
{
	use_kernel(print_for_ever, sizeof(print_for_ever));
	guest.config.cpus = cpu_counts[_i]; /* the others wait for a SIPI */
	hold_traces(LODGE_TRACE_PIO);
	guest_start(&guest);
	expect_pause_to_wait();
	lodge_vm_stop(guest.vm);
	ck_assert_int_eq(guest_finish(&guest), 115);
}
END_TEST

START_TEST(a_pause_waits_for_the_request_that_was_taken)
{
	const struct lodge_disk disk = {.size = 1 << 20};

	guest_init(&guest, "run=blk fill 0 0 64 5;blk verify 0 0 64 5;exit 3");
	guest.config.disks = &disk;
	guest.config.disk_count = 1;
	hold_traces(LODGE_TRACE_VIRTIO);
	guest_start(&guest);
	expect_pause_to_wait();
	ck_assert_int_eq(lodge_vm_resume(guest.vm), 0);
	ck_assert_int_eq(guest_finish(&guest), 3);
}
END_TEST

START_TEST(a_resume_ends_a_pause_that_still_waits)
{
	pthread_t thread;

	use_kernel(print_for_ever, sizeof(print_for_ever));
	hold_traces(LODGE_TRACE_PIO);
	guest_start(&guest);
	thread = begin_pause_that_waits();
	ck_assert_int_eq(lodge_vm_resume(guest.vm), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(paused, 0);
	lodge_vm_stop(guest.vm);
	close(trace_pipe[0]);
	ck_assert_int_eq(guest_finish(&guest), 115);
}
END_TEST

START_TEST(a_halted_guest_is_paused_and_stopped)
{
	use_kernel(halt, sizeof(halt));
	guest.config.cpus = 4;
	guest_start(&guest);
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(lodge_vm_pause(guest.vm), 0);
		ck_assert_int_eq(lodge_vm_pause(guest.vm), 0);
		ck_assert_int_eq(lodge_vm_resume(guest.vm), 0);
		ck_assert_int_eq(lodge_vm_resume(guest.vm), 0);
	}
	ck_assert_int_eq(lodge_vm_pause(guest.vm), 0);
	lodge_vm_stop(guest.vm);
	ck_assert_int_eq(guest_finish(&guest), 115);
}
END_TEST

START_TEST(a_timeout_runs_on_while_paused)
{
	use_kernel(print_for_ever, sizeof(print_for_ever));
	guest.config.timeout_ms = 500;
	guest_start(&guest);
	ck_assert_int_eq(lodge_vm_pause(guest.vm), 0);
	ck_assert_int_eq(guest_finish(&guest), 114);
}
END_TEST

static void do_nothing(int number)
{
	(void)number;
}

/* Kicked by a signal with a handler, or (the library's default) without one. */
static void use_kick_signal(bool handler)
{
	const struct sigaction action = {.sa_handler = do_nothing, .sa_flags = SA_RESTART};

	if (!handler)
		return;
	sigaction(SIGRTMIN + 1, &action, NULL);
	guest.config.kick_signal = SIGRTMIN + 1;
}

/* Resumes, after a moment or so, until the VM is gone. */
static void *pause_and_resume(void *seed)
{
	unsigned moment = *(unsigned *)seed;

	while (lodge_vm_pause(guest.vm) != -ESRCH) {
		moment = moment * 1103515245 + 12345;
		usleep(moment >> 16 & 0x3ff);
		lodge_vm_resume(guest.vm);
		usleep(moment >> 20 & 0x7ff);
	}
	return NULL;
}

START_TEST(pauses_from_several_threads_hurt_no_guest)
{
	static unsigned seeds[] = {1, 2, 3};
	const struct lodge_disk disk = {.size = 1 << 20};
	pthread_t threads[3];

	guest_init(&guest, "run=selftest exception;blk fill 0 0 512 1;blk verify 0 0 512 1;"
			   "selftest cpus;blk fill 0 0 2048 2;blk verify 0 0 2048 2;exit 44");
	guest.config.cpus = 1 + 3 * (unsigned)(_i % 2);
	use_kick_signal(_i / 2);
	guest.config.disks = &disk;
	guest.config.disk_count = 1;
	guest_start(&guest);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, pause_and_resume, &seeds[i]);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	ck_assert_msg(guest_finish(&guest) == 44, "status %d: %s\n%s", guest.result.status,
		guest.result.message, guest.console);
	ck_assert_ptr_null(strstr(guest.console, "FAIL"));
}
END_TEST

static void *stop_soon(void *vm)
{
	usleep(2000);
	lodge_vm_stop(vm);
	return NULL;
}

START_TEST(stops_among_pauses_end_the_run)
{
	static unsigned seeds[] = {4, 5};
	pthread_t threads[3];

	for (int i = 0; i < 20; i++) {
		use_kernel(_i % 2 ? halt : print_for_ever, _i % 2 ? sizeof(halt) : sizeof(print_for_ever));
		use_kick_signal(_i / 2);
		guest.config.cpus = 1 + (unsigned)i % 4;
		guest_start(&guest);
		for (int t = 0; t < 2; t++)
			pthread_create(&threads[t], NULL, pause_and_resume, &seeds[t]);
		pthread_create(&threads[2], NULL, stop_soon, guest.vm);
		for (int t = 0; t < 3; t++)
			pthread_join(threads[t], NULL);
		ck_assert_int_eq(guest_finish(&guest), 115);
	}
}
END_TEST

Suite *pause_suite(void)
{
	Suite *suite = suite_create("pause");
	TCase *tcase = tcase_create("pauses");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, files_setup, files_teardown);
	tcase_add_test(tcase, a_paused_guest_stands_still_until_it_is_resumed);
	tcase_add_test(tcase, only_a_vm_that_runs_is_paused);
	tcase_add_loop_test(tcase, a_pause_waits_for_the_last_vcpu, 0, 2);
	tcase_add_test(tcase, a_pause_waits_for_the_request_that_was_taken);
	tcase_add_test(tcase, a_resume_ends_a_pause_that_still_waits);
	tcase_add_test(tcase, a_halted_guest_is_paused_and_stopped);
	tcase_add_test(tcase, a_timeout_runs_on_while_paused);
	tcase_add_loop_test(tcase, pauses_from_several_threads_hurt_no_guest, 0, 4);
	tcase_add_loop_test(tcase, stops_among_pauses_end_the_run, 0, 4);
	suite_add_tcase(suite, tcase);
	return suite;
}
