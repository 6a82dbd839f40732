#include "faults/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define ENTRIES_MAX 8
#define ERRNO_MAX   133

const char *const fault_names[FAULT_CALLS] = {
#define CALL(name) [FAULT_##name] = #name,
#define KIND(name) [FAULT_##name] = #name,
#include "faults/calls.def"
#undef CALL
#undef KIND
};

/* One fault: of the calls from `first` to `last`. */
struct entry {
	enum fault_call call;
	unsigned first, last;
	struct fault fault;
	unsigned delay_ms;
	bool die;
};

static struct entry entries[ENTRIES_MAX];
static unsigned entry_count;
static struct fault_counts own_counts;
static struct fault_counts *counts = &own_counts;

static unsigned add(unsigned *count)
{
	return __atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
}

unsigned fault_count(enum fault_call call)
{
	return __atomic_load_n(&counts->calls[call], __ATOMIC_SEQ_CST);
}

unsigned fault_hits(void)
{
	return __atomic_load_n(&counts->hits, __ATOMIC_SEQ_CST);
}

/* By a futex: a sandbox lets every thread wait so. */
static void wait_ms(unsigned ms)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t never = PTHREAD_COND_INITIALIZER;
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&lock);
	while (!pthread_cond_timedwait(&never, &lock, &until))
		;
	pthread_mutex_unlock(&lock);
}

struct fault fault_take_delay(enum fault_call call, unsigned *ret_delay_ms)
{
	unsigned number = add(&counts->calls[call]);

	*ret_delay_ms = 0;
	for (unsigned i = 0; i < entry_count; i++) {
		const struct entry *entry = &entries[i];

		if (entry->call != call || number < entry->first || number > entry->last)
			continue;
		add(&counts->hits);
		if (entry->die)
			__builtin_trap(); /* no system call, which a sandbox could have forbidden */
		*ret_delay_ms = entry->delay_ms;
		return entry->fault;
	}
	return (struct fault){0};
}

struct fault fault_take(enum fault_call call)
{
	unsigned delay_ms;
	struct fault fault = fault_take_delay(call, &delay_ms);

	if (delay_ms)
		wait_ms(delay_ms);
	return fault;
}

static bool parse_call(const char *text, enum fault_call *ret_call)
{
	for (unsigned i = 0; i < FAULT_CALLS; i++) {
		if (!strcmp(text, fault_names[i])) {
			*ret_call = (enum fault_call)i;
			return true;
		}
	}
	return false;
}

static bool parse_what(const char *text, struct entry *entry)
{
	for (int err = 1; err <= ERRNO_MAX; err++) {
		const char *name = strerrorname_np(err);

		if (name && !strcmp(name, text))
			entry->fault.err = err;
	}
	entry->fault.half = !strcmp(text, "short");
	entry->die = !strcmp(text, "die");
	return entry->fault.err || entry->fault.half || entry->die ||
	       sscanf(text, "delay=%u", &entry->delay_ms) == 1;
}

static bool parse_entry(const char *text, struct entry *entry)
{
	char call[40], number[20], what[20], *end;

	if (sscanf(text, "%39[^:]:%19[^:]:%19[^:,]", call, number, what) != 3)
		return false;
	entry->first = (unsigned)strtoul(number, &end, 10);
	entry->last = *end == '+' ? UINT32_MAX : entry->first;
	end += *end == '+';
	return entry->first && !*end && parse_call(call, &entry->call) && parse_what(what, entry);
}

bool fault_plan(const char *plan)
{
	unsigned count = 0;

	entry_count = 0;
	memset(counts, 0, sizeof(*counts));
	while (plan && *plan) {
		entries[count] = (struct entry){0};
		if (!parse_entry(plan, &entries[count]) || ++count == ENTRIES_MAX)
			return false;
		plan += strcspn(plan, ",");
		plan += *plan == ',';
	}
	entry_count = count;
	return true;
}

bool fault_count_in(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *map = MAP_FAILED;

	if (fd >= 0) {
		map = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		close(fd);
	}
	if (map == MAP_FAILED)
		return false;
	counts = map;
	return true;
}

__attribute__((constructor)) static void plan_from_environment(void)
{
	const char *path = getenv("LODGE_FAULT_COUNTS"), *plan = getenv("LODGE_FAULTS");

	if ((path && !fault_count_in(path)) || (plan && !fault_plan(plan))) {
		fprintf(stderr, "LODGE_FAULTS=%s LODGE_FAULT_COUNTS=%s: not understood\n", plan ? plan : "",
			path ? path : "");
		_exit(99);
	}
}
