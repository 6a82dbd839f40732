#include "lib/pty.h"

#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

bool pty_open(struct pty *pty)
{
	*pty = (struct pty){.master = -1, .slave = -1, .pid = -1};
	if (!openpty(&pty->master, &pty->slave, NULL, NULL, NULL))
		return true;
	printf("SKIPPED: terminal: no pty can be had: is /dev/pts mounted?\n");
	return false;
}

void pty_close(struct pty *pty)
{
	if (pty->pid > 0) {
		kill(pty->pid, SIGKILL);
		waitpid(pty->pid, NULL, 0);
	}
	if (pty->master >= 0) {
		close(pty->master);
		close(pty->slave);
	}
	pty->master = pty->slave = -1;
}

void pty_start(struct pty *pty, const char *const argv[])
{
	pty->seen_len = 0;
	pty->seen[0] = '\0';
	pty->pid = fork();
	if (!pty->pid) {
		close(pty->master);
		login_tty(pty->slave);
		execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
}

/* What came within 100 ms. */
static void look(struct pty *pty)
{
	struct pollfd fd = {.fd = pty->master, .events = POLLIN};
	ssize_t count;

	if (poll(&fd, 1, 100) <= 0)
		return;
	count = read(pty->master, pty->seen + pty->seen_len, sizeof(pty->seen) - 1 - pty->seen_len);
	if (count > 0)
		pty->seen_len += (size_t)count;
	pty->seen[pty->seen_len] = '\0';
}

bool pty_expect(struct pty *pty, const char *text)
{
	for (int tries = 0; tries < 200 && !strstr(pty->seen, text); tries++)
		look(pty);
	return strstr(pty->seen, text);
}

void pty_type(struct pty *pty, const char *text)
{
	/* A pty takes far more than a test types. */
	(void)!write(pty->master, text, strlen(text));
}

int pty_finish(struct pty *pty)
{
	int status;

	for (int tries = 0; tries < 600; tries++) {
		look(pty);
		if (waitpid(pty->pid, &status, WNOHANG) == pty->pid) {
			pty->pid = -1;
			look(pty);
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		}
	}
	return -1;
}
