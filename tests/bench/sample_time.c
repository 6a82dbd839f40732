/* Whole processes, by the clock: how long they take, and how many a second. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/code.h"
#include "bench/ioctl_times.h"
#include "bench/process.h"
#include "bench/sample.h"
#include "lib/elf_builder.h"

#define PARALLEL_MAX 64

void sample_elf(int argc, char **argv)
{
	uint8_t code[CODE_MAX];
	size_t len = strcmp(argv[1], "console")
	                     ? code_one(code)
	                     : code_console(code, (uint32_t)atoi(argc > 2 ? argv[2] : "0"));

	if (elf_write_pvh(argv[0], code, len))
		fail("%s cannot be written", argv[0]);
}

void sample_time(int argc, char **argv)
{
	double start = now_us();
	pid_t pid = process_start(argv + 2, -1, -1);

	(void)argc;
	process_expect(pid, argv[2], atoi(argv[1]));
	printf("%s %.4f\n", argv[0], (now_us() - start) / 1e3);
}

void sample_first_byte(int argc, char **argv)
{
	int out[2];
	double start, end;
	pid_t pid;
	char byte;

	(void)argc;
	if (pipe2(out, O_CLOEXEC))
		fail("pipe: %m");
	start = now_us();
	pid = process_start(argv + 1, -1, out[1]);
	close(out[1]);
	if (read(out[0], &byte, 1) != 1)
		fail("%s printed nothing", argv[1]);
	end = now_us();
	process_kill(pid);
	close(out[0]);
	printf("%s %.4f\n", argv[0], (end - start) / 1e3);
}

/* NULL: nobody asked. */
static struct ioctl_times *map_times(void)
{
	const char *path = getenv(IOCTL_TIMES_VARIABLE);
	int fd = path ? open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
	struct ioctl_times *times;

	if (!path)
		return NULL;
	if (fd < 0 || ftruncate(fd, sizeof(*times)))
		fail("%s: %m", path);
	times = mmap(NULL, sizeof(*times), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (times == MAP_FAILED)
		fail("%s: %m", path);
	close(fd);
	return times;
}

struct running {
	pid_t pid; /* 0: a place that is free */
	double start;
};

static void start_one(struct running *places, char **argv)
{
	while (places->pid)
		places++;
	places->start = now_us();
	places->pid = process_start(argv, -1, -1);
}

/* Waits for any: how long it took. */
static double reap_one(struct running *places, const char *name)
{
	siginfo_t info;

	if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT))
		fail("waitid: %m");
	while (places->pid != info.si_pid)
		places++;
	process_expect(places->pid, name, 0);
	places->pid = 0;
	return now_us() - places->start;
}

void sample_guests(int argc, char **argv)
{
	struct running places[PARALLEL_MAX] = {{0}};
	int count = atoi(argv[0]), parallel = atoi(argv[1]), started = 0, done = 0;
	struct ioctl_times *times = map_times();
	double start = now_us(), wall_us = 0;

	(void)argc;
	if (parallel < 1 || parallel > PARALLEL_MAX)
		fail("1 to %d guests at a time", PARALLEL_MAX);
	while (done < count) {
		while (started < count && started - done < parallel) {
			start_one(places, argv + 2);
			started++;
		}
		wall_us += reap_one(places, argv[2]);
		done++;
	}
	if (!times) {
		printf("rate %.3f\n", count * 1e6 / (now_us() - start));
	} else if (!times->ioctls) {
		fail("%s counted no ioctls", argv[2]);
	} else {
		printf("kvm-share %.3f\n", (double)times->ioctl_ns / 10 / wall_us);
		printf("close-share %.3f\n", (double)times->close_ns / 10 / wall_us);
	}
}
