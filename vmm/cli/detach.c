#include "cli/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/commands.h"
#include "lodge.h"

int detach_child_status(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return LODGE_STATUS_VMM_ERROR;
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	print_error("run", "the guest's process was killed");
	return LODGE_STATUS_VMM_ERROR;
}

int detach_split(struct detach *detach, char *name, unsigned size, int *ret_status)
{
	unsigned len = 0;
	ssize_t count;
	pid_t child;
	int fds[2];

	*ret_status = LODGE_STATUS_VMM_ERROR;
	if (pipe2(fds, O_CLOEXEC))
		goto fail;
	fflush(NULL);
	child = fork();
	if (child < 0)
		goto fail;
	if (!child) {
		close(fds[0]);
		setsid();
		detach->ready_fd = fds[1];
		detach->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		return 0;
	}
	close(fds[1]);
	while (len < size - 1 &&
		((count = read(fds[0], name + len, size - 1 - len)) > 0 || (count < 0 && errno == EINTR)))
		len += count > 0 ? (unsigned)count : 0;
	name[len] = '\0';
	close(fds[0]);
	detach->child = child;
	if (len)
		return 1;
	*ret_status = detach_child_status(child);
	return -ECHILD;
fail:
	print_error("run", strerror(errno));
	return -errno;
}

/* A log that stderr was sent to is kept; a terminal, and a pipe whose reader waits for its end, are let go. */
static void let_go_of_terminal(int null, bool keep_stderr)
{
	struct stat st;

	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (!keep_stderr && (fstat(STDERR_FILENO, &st) || !S_ISREG(st.st_mode)))
		dup2(null, STDERR_FILENO);
	close(null);
}

void detach_ready(void *ctx)
{
	struct detach *detach = ctx;

	if (detach->ready_fd < 0)
		return;
	let_go_of_terminal(detach->null_fd, detach->keep_stderr);
	/* A parent that is gone meanwhile misses the name; `lodge list` has it. */
	(void)!write(detach->ready_fd, detach->name, strlen(detach->name));
	close(detach->ready_fd);
	detach->ready_fd = -1;
}
