#include "bench/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READ_LIMIT_US 60e6

double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

void fail(const char *format, ...)
{
	va_list arguments;

	fputs("bench: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

static void run_child(pid_t parent, char *const argv[], int in, int out)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127); /* it came too late */
	dup2(in < 0 ? open("/dev/null", O_RDONLY) : in, STDIN_FILENO);
	dup2(out < 0 ? open("/dev/null", O_WRONLY) : out, STDOUT_FILENO);
	closefrom(STDERR_FILENO + 1);
	execvp(argv[0], argv);
	_exit(127);
}

pid_t process_start(char *const argv[], int in, int out)
{
	pid_t parent = getpid(), pid = fork();

	if (!pid)
		run_child(parent, argv, in, out);
	if (pid < 0)
		fail("fork: %m");
	return pid;
}

int process_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		fail("waitpid: %m");
	return WIFEXITED(status) ? WEXITSTATUS(status) : PROCESS_STATUS_SIGNAL + WTERMSIG(status);
}

void process_expect(pid_t pid, const char *name, int status)
{
	int got = process_wait(pid);

	if (got != status)
		fail("%s: it ended with status %d, not %d", name, got, status);
}

void process_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	process_wait(pid);
}

void process_read_until(int fd, const char *name, const char *text)
{
	char seen[65536];
	size_t len = 0, overlap = strlen(text);
	double end = now_us() + READ_LIMIT_US;

	for (;;) {
		struct pollfd input = {.fd = fd, .events = POLLIN};
		ssize_t count;

		if (poll(&input, 1, 100) > 0) {
			/* The last bytes stay: the text may come in pieces. */
			if (len > sizeof(seen) / 2) {
				memmove(seen, seen + len - overlap, overlap);
				len = overlap;
			}
			count = read(fd, seen + len, sizeof(seen) - 1 - len);
			if (count <= 0)
				fail("%s: it ended before it printed \"%s\"", name, text);
			len += (size_t)count;
			if (memmem(seen, len, text, strlen(text)))
				return;
		}
		if (now_us() > end)
			fail("%s: it did not print \"%s\"", name, text);
	}
}
