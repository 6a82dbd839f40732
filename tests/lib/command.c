#include "lib/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGUMENTS_MAX 32

const char *command_lodge(void)
{
	const char *path = getenv("LODGE");

	return path ? path : "build/lodge";
}

struct command *command_new(void)
{
	struct command *command = calloc(1, sizeof(*command));

	if (!command)
		abort();
	return command;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void run_child(const struct command *command, const char *const argv[], const int in[2],
	const int out[2], const int err[2])
{
	if (command->close_stdin)
		close(STDIN_FILENO);
	else
		dup2(command->input ? in[0] : open("/dev/null", O_RDONLY), STDIN_FILENO);
	dup2(command->stdout_fd ? command->stdout_fd : out[1], STDOUT_FILENO);
	dup2(err[1], STDERR_FILENO);
	closefrom(3);
	execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

void command_start(struct command *command, const char *const argv[])
{
	int in[2], out[2], err[2];

	signal(SIGPIPE, SIG_IGN);
	command->out_len = command->err_len = 0;
	command->out[0] = command->err[0] = '\0';
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		abort();
	command->pid = fork();
	if (!command->pid)
		run_child(command, argv, in, out, err);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	command->stdin_fd = in[1];
	command->out_fd = out[0];
	command->err_fd = err[0];
	fcntl(command->stdin_fd, F_SETFL, O_NONBLOCK);
	if (command->input)
		command_send(command, command->input, strlen(command->input));
	if (!command->keep_input)
		close_fd(&command->stdin_fd);
}

static void take(int *fd, char *text, size_t *len)
{
	ssize_t count = read(*fd, text + *len, COMMAND_OUTPUT_MAX - 1 - *len);

	if (count > 0)
		*len += (size_t)count;
	else if (!count || errno != EINTR)
		close_fd(fd);
	text[*len] = '\0';
}

/* Waits for something to move, and moves it. */
static void pump(struct command *command, int timeout_ms, bool sending)
{
	struct pollfd fds[] = {
		{.fd = command->out_fd, .events = POLLIN},
		{.fd = command->err_fd, .events = POLLIN},
		{.fd = sending ? command->stdin_fd : -1, .events = POLLOUT},
	};

	if (poll(fds, 3, timeout_ms) <= 0)
		return;
	if (fds[0].revents)
		take(&command->out_fd, command->out, &command->out_len);
	if (fds[1].revents)
		take(&command->err_fd, command->err, &command->err_len);
}

void command_send(struct command *command, const char *text, size_t len)
{
	while (len && command->stdin_fd >= 0) {
		ssize_t count = write(command->stdin_fd, text, len);

		if (count > 0) {
			text += count;
			len -= (size_t)count;
		} else if (errno != EAGAIN && errno != EINTR) {
			close_fd(&command->stdin_fd);
		} else {
			pump(command, 1000, true);
		}
	}
}

bool command_expect(struct command *command, const char *text, int seconds)
{
	double end = now() + seconds;

	while (!strstr(command->out, text)) {
		if (command->out_fd < 0 || now() > end)
			return false;
		pump(command, 100, false);
	}
	return true;
}

int command_finish(struct command *command, int seconds)
{
	double end = now() + seconds;
	int status;

	while ((command->out_fd >= 0 || command->err_fd >= 0) && now() < end)
		pump(command, 100, false);
	while (waitpid(command->pid, &status, WNOHANG) == 0) {
		if (now() > end) {
			command->timed_out = true;
			kill(command->pid, SIGKILL);
			waitpid(command->pid, &status, 0);
			break;
		}
		usleep(2000);
	}
	close_fd(&command->stdin_fd);
	close_fd(&command->out_fd);
	close_fd(&command->err_fd);
	command->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return command->status;
}

bool command_complained(const struct command *command)
{
	const char *newline = strchr(command->err, '\n');

	return !strncmp(command->err, "lodge: ", 7) && newline && !newline[1];
}

int command_call(struct command *command, const char *first, ...)
{
	const char *argv[ARGUMENTS_MAX + 1] = {command_lodge(), first};
	unsigned count = 2;
	va_list arguments;

	va_start(arguments, first);
	while (count < ARGUMENTS_MAX && (argv[count] = va_arg(arguments, const char *)))
		count++;
	va_end(arguments);
	command_start(command, argv);
	return command_finish(command, 60);
}
