/* What a VMM's process takes of the host's memory, its guest's RAM apart. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/process.h"
#include "bench/sample.h"

#define MAPPINGS_MAX 1024
#define PROMPT       "lodger> "

struct mapping {
	unsigned long start, end, pss_kib, private_dirty_kib;
};

struct memory {
	unsigned long pss_kib, private_dirty_kib;
};

static size_t read_mappings(pid_t pid, struct mapping *mappings)
{
	char path[64], line[512];
	size_t count = 0;
	FILE *smaps;

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	smaps = fopen(path, "r");
	if (!smaps)
		fail("%s: %m", path);
	while (fgets(line, sizeof(line), smaps)) {
		struct mapping next = {0};
		unsigned long kib;

		if (count < MAPPINGS_MAX && sscanf(line, "%lx-%lx ", &next.start, &next.end) == 2)
			mappings[count++] = next;
		else if (count && sscanf(line, "Pss: %lu", &kib) == 1)
			mappings[count - 1].pss_kib = kib;
		else if (count && sscanf(line, "Private_Dirty: %lu", &kib) == 1)
			mappings[count - 1].private_dirty_kib = kib;
	}
	fclose(smaps);
	return count;
}

/*
 * Guest RAM is known by its size: the neighbours, one or more, that are together just as long. Where the kernel has
 * merged it with what lies beside it, it is the first mapping that is larger.
 */
static void find_ram(
	const struct mapping *mappings, size_t count, unsigned long ram, size_t *ret_first, size_t *ret_end)
{
	size_t first, end;

	for (first = 0; first < count; first++)
		for (end = first + 1; end <= count; end++) {
			if (mappings[end - 1].end - mappings[first].start == ram) {
				*ret_first = first;
				*ret_end = end;
				return;
			}
			if (end < count && mappings[end].start != mappings[end - 1].end)
				break;
		}
	for (first = 0; first < count && mappings[first].end - mappings[first].start < ram; first++)
		;
	if (first == count)
		fail("no mapping has the size of the guest's RAM");
	*ret_first = first;
	*ret_end = first + 1;
}

static struct memory read_memory(pid_t pid, unsigned long ram)
{
	static struct mapping mappings[MAPPINGS_MAX];
	size_t count = read_mappings(pid, mappings), first, end;
	struct memory sum = {0};

	find_ram(mappings, count, ram, &first, &end);
	for (size_t i = 0; i < count; i++) {
		if (i >= first && i < end)
			continue;
		sum.pss_kib += mappings[i].pss_kib;
		sum.private_dirty_kib += mappings[i].private_dirty_kib;
	}
	return sum;
}

/* A pipe that never has anything to read, and never ends: an idle user. */
static int idle_input(void)
{
	int in[2];

	if (pipe2(in, O_CLOEXEC))
		fail("pipe: %m");
	return in[0];
}

void sample_memory(int argc, char **argv)
{
	unsigned long ram = strtoul(argv[0], NULL, 10) << 20;
	int out[2];
	pid_t pid;

	(void)argc;
	if (pipe2(out, O_CLOEXEC))
		fail("pipe: %m");
	pid = process_start(argv + 1, idle_input(), out[1]);
	close(out[1]);
	process_read_until(out[0], argv[1], PROMPT);
	printf("dirty %lu\n", read_memory(pid, ram).private_dirty_kib);
	process_kill(pid);
}

static long available_kib(void)
{
	FILE *meminfo = fopen("/proc/meminfo", "r");
	char line[256];
	long kib = -1;

	while (meminfo && fgets(line, sizeof(line), meminfo) && sscanf(line, "MemAvailable: %ld", &kib) != 1)
		;
	if (meminfo)
		fclose(meminfo);
	return kib;
}

/* Two descriptors a guest. */
static void raise_limit(unsigned guests)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < guests * 2 + 64)
		limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* As many start at once as there are CPUs; returns when all have their prompts. */
static void start_all(pid_t *pids, unsigned count, char **argv)
{
	unsigned parallel = (unsigned)sysconf(_SC_NPROCESSORS_ONLN), started, ready;
	int *outs = calloc(count, sizeof(*outs)), in = idle_input(), out[2];

	if (!outs)
		abort();
	for (started = ready = 0; ready < count; ready++) {
		for (; started < count && started - ready < parallel; started++) {
			if (pipe2(out, O_CLOEXEC))
				fail("pipe: %m");
			outs[started] = out[0];
			pids[started] = process_start(argv, in, out[1]);
			close(out[1]);
		}
		process_read_until(outs[ready], argv[0], PROMPT);
	}
	free(outs);
}

void sample_idle(int argc, char **argv)
{
	unsigned count = (unsigned)atoi(argv[0]);
	unsigned long ram = strtoul(argv[1], NULL, 10) << 20;
	pid_t *pids = calloc(count, sizeof(*pids));
	long before = available_kib();
	double start = now_us();

	(void)argc;
	if (!pids)
		abort();
	raise_limit(count);
	start_all(pids, count, argv + 2);
	printf("start-all %.3f\n", (now_us() - start) / 1e6);
	printf("host %.1f\n", (double)(before - available_kib()) / count);
	for (unsigned i = 0; i < count; i++) {
		struct memory memory = read_memory(pids[i], ram);

		printf("pss %lu\nprivate %lu\n", memory.pss_kib, memory.private_dirty_kib);
	}
	/* All at once: KVM waits long for each. */
	for (unsigned i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
	for (unsigned i = 0; i < count; i++)
		process_wait(pids[i]);
	free(pids);
}
