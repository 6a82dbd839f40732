#include "fuzz.h"

#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>

#include "util/bytes.h"
#include "util/clock.h"

/* Long enough for the stack of a failure, and not for the memory of thousands of runs. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=16:detect_stack_use_after_return=0";
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
	return "print_stacktrace=1";
}

void fuzz_fail(const char *file, int line, const char *promise)
{
	fprintf(stderr, "%s:%d: broken: %s\n", file, line, promise);
	abort();
}

/* Check's assertions in the unit tests' headers, without Check: what fails is a crash. */
void _mark_point(const char *file, int line)
{
	(void)file;
	(void)line;
}

void _ck_assert_failed(const char *file, int line, const char *expr, const char *msg, ...)
{
	(void)msg;
	fuzz_fail(file, line, expr);
}

uint64_t fuzz_bytes(struct fuzz_input *input, unsigned count)
{
	uint64_t value = 0;
	size_t part = MIN(count, input->left);

	memcpy(&value, input->at, part);
	input->at += part;
	input->left -= part;
	return value;
}

uint64_t fuzz_below(struct fuzz_input *input, uint64_t limit)
{
	unsigned bytes = 1;

	while (bytes < 8 && limit - 1 > all_ones(bytes))
		bytes++;
	return fuzz_bytes(input, bytes) % limit;
}

uint64_t fuzz_number(struct fuzz_input *input)
{
	static const uint64_t edges[] = {0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 32, 64, 127, 128, 255, 256, 257,
		511, 512, 513, 4095, 4096, 32767, 32768, 65535, 65536, INT32_MAX, UINT32_C(1) << 31,
		UINT32_MAX, UINT64_C(1) << 32, INT64_MAX, UINT64_MAX};
	uint8_t kind = fuzz_byte(input);

	static_assert(ARRAY_SIZE(edges) == 32, "five bits choose one");
	if (kind < 0x80)
		return edges[kind % ARRAY_SIZE(edges)];
	return fuzz_bytes(input, 1u << (kind & 3));
}

static uint64_t now_ns;

void fuzz_clock_set(uint64_t ns)
{
	now_ns = ns;
}

uint64_t fuzz_clock(void)
{
	return now_ns;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now)
{
	(void)clock;
	*ret_now = (struct timespec){
		.tv_sec = (time_t)(now_ns / NS_PER_S), .tv_nsec = (long)(now_ns % NS_PER_S)};
	return 0;
}

static enum { GIVES, COUNTS, REFUSED } host;
static unsigned host_allowed;

void fuzz_refuse(unsigned allowed)
{
	host = COUNTS;
	host_allowed = allowed;
}

bool fuzz_refused(void)
{
	bool refused = host == REFUSED;

	host = GIVES;
	return refused;
}

static bool refuse(int err)
{
	if (host != COUNTS || host_allowed--)
		return false;
	host = REFUSED;
	errno = err;
	return true;
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
	return refuse(ENOMEM) ? NULL : __real_calloc(count, size);
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return refuse(ENOMEM) ? NULL : __real_malloc(size);
}

void *__real_realloc(void *from, size_t size);
void *__wrap_realloc(void *from, size_t size);
void *__wrap_realloc(void *from, size_t size)
{
	return refuse(ENOMEM) ? NULL : __real_realloc(from, size);
}

void *__real_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
	return refuse(ENOMEM) ? MAP_FAILED : __real_mmap(at, len, protection, flags, fd, offset);
}

int __real_eventfd(unsigned value, int flags);
int __wrap_eventfd(unsigned value, int flags);
int __wrap_eventfd(unsigned value, int flags)
{
	return refuse(EMFILE) ? -1 : __real_eventfd(value, flags);
}

#define GUARD KIB(64)

static struct guest_memory memory = {
	.regions =
		{
			{.gpa = 0, .size = FUZZ_LOW_SIZE},
			{.gpa = FUZZ_MID_BASE, .size = FUZZ_MID_SIZE},
			{.gpa = FUZZ_HIGH_BASE, .size = FUZZ_HIGH_SIZE},
		},
	.count = 3,
};

static void make_memory(void)
{
	uint64_t total = GUARD;
	uint8_t *at;

	for (unsigned i = 0; i < memory.count; i++)
		total += memory.regions[i].size + GUARD;
	at = mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	FUZZ_CHECK(at != MAP_FAILED);
	for (unsigned i = 0; i < memory.count; i++) {
		struct guest_region *region = &memory.regions[i];

		region->hva = at + GUARD;
		FUZZ_CHECK(!mprotect(region->hva, region->size, PROT_READ | PROT_WRITE));
		at = region->hva + region->size;
	}
}

const struct guest_memory *fuzz_memory(void)
{
	if (!memory.regions[0].hva)
		make_memory();
	for (unsigned i = 0; i < memory.count; i++) {
		struct guest_region *region = &memory.regions[i];

		/* Of the large one little was touched; the kernel knows what. */
		if (region->size > MIB(1))
			FUZZ_CHECK(!madvise(region->hva, region->size, MADV_DONTNEED));
		else
			memset(region->hva, 0, region->size);
	}
	return &memory;
}

gpa_t fuzz_gpa(struct fuzz_input *input)
{
	static const gpa_t edges[] = {0, FUZZ_LOW_SIZE, FUZZ_HOLE, FUZZ_HIGH_BASE,
		FUZZ_HIGH_BASE + FUZZ_HIGH_SIZE, UINT64_MAX, INT64_MAX, GIB(2)};
	uint8_t kind = fuzz_byte(input);

	if (kind < 0xc0) /* somewhere in the two small regions; a multiple of 16 as often as not */
		return fuzz_below(input, FUZZ_HOLE) & (kind & 1 ? ~(gpa_t)15 : ~(gpa_t)0);
	if (kind < 0xe0)
		return edges[kind % ARRAY_SIZE(edges)] + (gpa_t)(int8_t)fuzz_byte(input);
	if (kind < 0xf0)
		return FUZZ_HIGH_BASE + fuzz_bytes(input, 4);
	return fuzz_bytes(input, 8);
}

bool fuzz_memory_has(const void *hva, uint64_t len)
{
	for (unsigned i = 0; i < memory.count; i++) {
		const struct guest_region *region = &memory.regions[i];

		if (range_inside((uintptr_t)hva, len, (uintptr_t)region->hva, region->size))
			return true;
	}
	return false;
}
