#include "lib/named_guests.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct lodge_error error;
char seen[1 << 21];
char *runtime_dir;

void named_setup(void)
{
	command_setup();
	runtime_dir = getenv("LODGE_RUNTIME_DIR");
}

void named_teardown(void)
{
	command_call(command, "stop", "--all", "--now", NULL);
	command_teardown();
}

void start(const char *name)
{
	ck_assert_msg(!command_call(command, "run", "--detach", "--name", name, "-m", "32M", NULL), "%s",
		command->err);
	ck_assert_str_eq(command->out + strlen(command->out) - strlen(name) - 1,
		strcat(strcpy((char[80]){0}, name), "\n"));
}

int connect_console(const char *name)
{
	int fd;

	ck_assert_msg(!lodge_guest_console(name, &fd, &error), "%s", error.text);
	return fd;
}

bool hear(int fd, const char *text)
{
	size_t len = 0;

	seen[0] = '\0';
	while (!strstr(seen, text)) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		ssize_t count =
			poll(&poll_fd, 1, 30000) == 1 ? read(fd, seen + len, sizeof(seen) - 1 - len) : 0;

		if (count <= 0)
			return false;
		len += (size_t)count;
		seen[len] = '\0';
	}
	return true;
}

void say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

void ask(const char *name, const char *request)
{
	struct lodge_client *client;
	const char *line;

	ck_assert_msg(!lodge_client_new(name, &client, &error), "%s", error.text);
	ck_assert_int_eq(lodge_client_send(client, request, &error), 0);
	ck_assert_msg(!lodge_client_receive(client, 20000, &line, &error), "%s", error.text);
	snprintf(seen, sizeof(seen), "%s", line);
	lodge_client_free(client);
}

int pid_of(const char *name)
{
	struct lodge_client *client;
	int pid;

	ck_assert_msg(!lodge_client_new(name, &client, &error), "%s", error.text);
	pid = lodge_client_pid(client);
	lodge_client_free(client);
	return pid;
}

bool is_gone(int pid)
{
	for (int tries = 0; tries < 500 && !kill(pid, 0); tries++)
		usleep(10000);
	return kill(pid, 0) && errno == ESRCH;
}

bool nothing_is_left(void)
{
	command_call(command, "list", NULL);
	return !strchr(strchr(command->out, '\n') + 1, '\n') && !rmdir(runtime_dir);
}
