/* The serial console, as its reader sees it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include "bench/process.h"
#include "bench/sample.h"

#define ARGUMENTS_MAX 64
#define BURST         65536

struct console {
	int status;    /* how the command shall end */
	char **argv;   /* "@" in it is the kernel */
	double us;     /* from fork to the end of its output */
	size_t bytes;  /* of its output */
	size_t writes; /* that it took */
};

/* stdout is a socket that keeps records: each write() of theirs is one read() of ours. */
static void run(struct console *console, char *kernel)
{
	static char buffer[2 * BURST];
	char *argv[ARGUMENTS_MAX + 1] = {NULL};
	int sockets[2];
	double start;
	ssize_t count;
	pid_t pid;

	for (int i = 0; i < ARGUMENTS_MAX && console->argv[i]; i++)
		argv[i] = strcmp(console->argv[i], "@") ? console->argv[i] : kernel;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets))
		fail("socketpair: %m");
	console->bytes = console->writes = 0;
	start = now_us();
	pid = process_start(argv, -1, sockets[1]);
	close(sockets[1]);
	while ((count = read(sockets[0], buffer, sizeof(buffer))) > 0) {
		console->bytes += (size_t)count;
		console->writes++;
	}
	console->us = now_us() - start;
	close(sockets[0]);
	process_expect(pid, argv[0], console->status);
}

void sample_console(int argc, char **argv)
{
	struct console none = {.status = atoi(argv[0]), .argv = argv + 3}, burst = none;

	(void)argc;
	run(&none, argv[1]);
	run(&burst, argv[2]);
	if (burst.bytes - none.bytes != BURST)
		fail("%s: %zu bytes arrived, and %d were printed", argv[3], burst.bytes - none.bytes, BURST);
	printf("throughput %.1f\n", BURST / 1.024e-3 / (burst.us - none.us));
	printf("writes %zu\n", burst.writes - none.writes);
}
