/* The threads of a run, and how it ends. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "machine/outcome.h"
#include "machine/vm.h"
#include "util/clock.h"
#include "util/error.h"

/* How long a run that was stopped or timed out waits for a stalled reader of its console. */
#define DRAIN_GRACE_MS 1000

/* A restart is no end: what ends the run from outside meanwhile counts, and would be lost with the reset. */
static bool outranks(const struct ending *ending, const struct ending *other)
{
	return other->restart && (ending->outcome == LODGE_STOPPED || ending->outcome == LODGE_TIMEOUT ||
					 ending->outcome == LODGE_VMM_ERROR);
}

void vm_end(struct lodge_vm *vm, const struct ending *ending)
{
	pthread_mutex_lock(&vm->end_lock);
	if (!vm->ended || outranks(ending, &vm->ending)) {
		vm->ended = true;
		vm->ending = *ending;
		vm->ended_at = clock_ns();
	}
	atomic_store_explicit(&vm->ending_now, true, memory_order_release);
	event_loop_stop(&vm->loop);
	pthread_mutex_unlock(&vm->end_lock);
}

/* Whether what ended the machine was a reset that starts the guest anew; then nothing has ended yet. */
static bool take_restart(struct lodge_vm *vm)
{
	bool restart;

	pthread_mutex_lock(&vm->end_lock);
	restart = vm->ending.restart;
	if (restart) {
		vm->ended = false;
		vm->ending = (struct ending){0};
		atomic_store(&vm->ending_now, false);
		event_loop_restart(&vm->loop);
	}
	pthread_mutex_unlock(&vm->end_lock);
	return restart;
}

void vm_fail(struct lodge_vm *vm, const char *format, ...)
{
	struct ending ending = {.outcome = LODGE_VMM_ERROR};
	va_list args;

	va_start(args, format);
	vsnprintf(ending.message, sizeof(ending.message), format, args);
	va_end(args);
	vm_end(vm, &ending);
}

static void stop_requested(void *ctx)
{
	const struct ending ending = {.outcome = LODGE_STOPPED};

	vm_end(ctx, &ending);
}

static void stop_ready(void *ctx, uint32_t events)
{
	struct lodge_vm *vm = ctx;

	(void)events;
	/* Both descriptors stay readable; they are looked at once more when the console is drained. */
	event_loop_remove(&vm->loop, &vm->stop_source);
	event_loop_remove(&vm->loop, &vm->stop_config_source);
	stop_requested(vm);
}

static void console_failed(void *ctx, int err)
{
	struct lodge_vm *vm = ctx;

	/* Also after the guest's end, which is then no good one. */
	vm->console_err = err;
	vm_fail(vm, "console output: %s", strerror(-err));
}

static void timed_out(void *ctx)
{
	struct lodge_vm *vm = ctx;
	struct ending ending = {.outcome = LODGE_TIMEOUT};

	snprintf(ending.message, sizeof(ending.message), "the guest was stopped after %llu.%03llu seconds",
		(unsigned long long)vm->config.timeout_ms / 1000,
		(unsigned long long)vm->config.timeout_ms % 1000);
	vm_end(vm, &ending);
}

static int init_console(struct lodge_vm *vm, struct error *error)
{
	struct console_config config = {
		.loop = &vm->loop,
		.end_count = vm->config.console_count,
		.stop = stop_requested,
		.failed = console_failed,
		.ctx = vm,
	};
	unsigned i;

	for (i = 0; i < config.end_count; i++) {
		const struct lodge_console *from = &vm->config.consoles[i];

		config.ends[i] = (struct console_end){
			.kind = (enum console_kind)from->kind,
			.in = from->in,
			.out = from->out,
			.escape = from->escape,
		};
	}
	return console_init(&vm->console, &config, error);
}

int events_init(struct lodge_vm *vm, struct error *error)
{
	int err = event_loop_init(&vm->loop);

	if (err)
		goto fail;
	vm->stop_source = (struct event_source){
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = stop_ready, .ctx = vm};
	err = vm->stop_source.fd < 0 ? -errno : event_loop_set(&vm->loop, &vm->stop_source, EPOLLIN);
	if (err)
		goto fail;
	vm->stop_config_source =
		(struct event_source){.fd = vm->config.stop_fd, .ready = stop_ready, .ctx = vm};
	if (vm->config.stop_fd >= 0)
		err = event_loop_set(&vm->loop, &vm->stop_config_source, EPOLLIN);
	if (!err && vm->config.timeout_ms)
		err = event_timer_init(&vm->timeout, &vm->loop, timed_out, vm);
	if (err)
		goto fail;
	return init_console(vm, error);
fail:
	return error_set(error, ERROR_VMM, err, "event loop: %s", strerror(-err));
}

void events_fini(struct lodge_vm *vm)
{
	console_fini(&vm->console);
	event_timer_fini(&vm->timeout);
	if (vm->stop_source.fd > 0)
		close(vm->stop_source.fd);
	event_loop_fini(&vm->loop);
}

static void start_threads(struct lodge_vm *vm)
{
	unsigned i;
	int err;

	pause_set_state(vm, GATE_RUNS);
	err = io_thread_start(vm);
	for (i = 0; !err && i < vm->vcpu_count; i++)
		err = pause_start_thread(vm, &vm->vcpus[i].thread, vcpu_main, &vm->vcpus[i]);
	if (err)
		vm_fail(vm, "starting a thread: %s", strerror(-err));
}

static void stop_threads(struct lodge_vm *vm)
{
	unsigned i;

	/* The I/O thread first: what came while the VM was paused is not written when the pause ends like this. */
	io_thread_stop(vm);
	pause_set_state(vm, GATE_STOPS);
	for (i = 0; i < vm->vcpu_count; i++) {
		if (vm->vcpus[i].thread.started)
			kvm_vcpu_kick(&vm->vcpus[i].kvm, vm->vcpus[i].thread.id);
	}
	for (i = 0; i < vm->vcpu_count; i++) {
		if (vm->vcpus[i].thread.started)
			pthread_join(vm->vcpus[i].thread.id, NULL);
		vm->vcpus[i].thread.started = false;
	}
	io_thread_join(vm);
}

/* The guest has ended: what it printed still reaches its reader, unless nobody wants to wait for that. */
static void drain_console(struct lodge_vm *vm)
{
	bool cut_short = vm->ending.outcome == LODGE_STOPPED || vm->ending.outcome == LODGE_TIMEOUT;
	const int stop_fds[] = {
		cut_short ? -1 : vm->stop_source.fd,
		cut_short ? -1 : vm->config.stop_fd,
	};
	int timeout_ms = cut_short ? DRAIN_GRACE_MS : -1, err;

	if (!cut_short && vm->config.timeout_ms) {
		uint64_t gone_ms = (clock_ns() - vm->started_at) / 1000000, left_ms;

		left_ms = vm->config.timeout_ms > gone_ms ? vm->config.timeout_ms - gone_ms : 0;
		timeout_ms = (int)MIN(left_ms, (uint64_t)INT32_MAX);
	}
	err = console_drain(&vm->console, stop_fds, timeout_ms);
	err = vm->console_err ? vm->console_err : err;
	if (err && err != -ECANCELED && err != -ETIMEDOUT && vm->ending.outcome != LODGE_VMM_ERROR) {
		vm->ending = (struct ending){.outcome = LODGE_VMM_ERROR};
		snprintf(
			vm->ending.message, sizeof(vm->ending.message), "console output: %s", strerror(-err));
	}
}

/* A reader that goes away and a file size limit are errors to report, not signals for the embedder. */
static void hold_write_signals(sigset_t *ret_before)
{
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGPIPE);
	sigaddset(&held, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &held, ret_before);
}

/* Takes back what this thread's own writes caused meanwhile. */
static void release_write_signals(const sigset_t *before)
{
	const struct timespec now = {0};
	sigset_t caused;

	sigemptyset(&caused);
	if (!sigismember(before, SIGPIPE))
		sigaddset(&caused, SIGPIPE);
	if (!sigismember(before, SIGXFSZ))
		sigaddset(&caused, SIGXFSZ);
	while (sigtimedwait(&caused, NULL, &now) > 0)
		;
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

static void restart(struct lodge_vm *vm)
{
	struct ending ending = {0};
	struct error error;

	if (!machine_rebuild(vm, &error)) {
		start_threads(vm);
		return;
	}
	ending.outcome = outcome_of_error((int)error.kind);
	snprintf(ending.message, sizeof(ending.message), "starting the guest anew: %.200s", error.text);
	vm_end(vm, &ending);
}

/* One machine after another. */
static void run_machines(struct lodge_vm *vm)
{
	bool again;

	pthread_mutex_lock(&vm->machine_lock);
	start_threads(vm);
	pthread_mutex_unlock(&vm->machine_lock);
	if (vm->config.started)
		vm->config.started(vm->config.started_ctx);
	do {
		int err = event_loop_run(&vm->loop);

		if (err)
			vm_fail(vm, "the event loop: %s", strerror(-err));
		/* A guest that resets before its loop has turned once starves neither its console nor who stops it. */
		event_loop_catch_up(&vm->loop);
		pthread_mutex_lock(&vm->machine_lock);
		stop_threads(vm);
		again = take_restart(vm);
		if (again)
			restart(vm);
		else
			pause_set_state(vm, GATE_IDLE);
		pthread_mutex_unlock(&vm->machine_lock);
	} while (again);
}

int lodge_vm_run(struct lodge_vm *vm, struct lodge_result *ret_result)
{
	sigset_t before;

	if (vm->ran)
		return -EALREADY;
	vm->ran = true;
	hold_write_signals(&before);
	vm->started_cycles = clock_cycles();
	atomic_store(&vm->started_at, clock_ns());
	if (vm->config.timeout_ms)
		event_timer_arm(&vm->timeout, vm->config.timeout_ms * 1000000);
	run_machines(vm);
	drain_console(vm);
	/* Where it was. */
	if (vm->ending.outcome == LODGE_TIMEOUT && vm->vcpu_count)
		vcpu_read_registers(&vm->vcpus[0], &vm->ending);
	result_fill(vm, ret_result);
	release_write_signals(&before);
	return ret_result->outcome == LODGE_VMM_ERROR ? -EIO : 0;
}

void lodge_vm_stop(struct lodge_vm *vm)
{
	eventfd_write(vm->stop_source.fd, 1);
}

size_t lodge_vm_console_copy(struct lodge_vm *vm, void *to, size_t size)
{
	return console_copy(&vm->console, to, size);
}

void lodge_vm_console_resize(struct lodge_vm *vm, unsigned columns, unsigned rows)
{
	console_resize(&vm->console, columns, rows);
}
