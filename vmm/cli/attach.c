#include "cli/attach.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/detach.h"
#include "cli/guest_call.h"
#include "cli/terminal.h"
#include "util/bytes.h"
#include "util/clock.h"

#define ESCAPE      0x01        /* Ctrl-A */
#define FAREWELL_NS 2000000000u /* what an ended guest's process may take to send the rest of its console */

static const char help[] = "\n  Ctrl-A d  detach: the guest runs on\n"
			   "  Ctrl-A x  stop the guest at once\n"
			   "  Ctrl-A a  send a Ctrl-A\n"
			   "  Ctrl-A h  this text\n";

struct attach {
	const char *command, *name;
	pid_t child;                 /* the guest's process is ours, and goes with us; 0: it is not */
	struct lodge_client *client; /* NULL: the child's guest ended so soon that there was none */
	int console_fd, signal_fd;
	struct terminal terminal;
	sigset_t signals_before;
	bool input_open, in_escape;
	bool done;         /* leave, with `status` */
	bool ended;        /* the guest's end was told, or its process is gone */
	uint64_t ended_at; /* ns */
	int status;
	char typed[4096]; /* what the console has not taken yet */
	size_t typed_len;
};

static void complain(struct attach *attach, const struct lodge_error *error)
{
	terminal_restore(&attach->terminal);
	print_error(attach->command, error->text);
	attach->status = error->status;
}

static void leave(struct attach *attach, int status)
{
	attach->done = true;
	attach->status = status;
}

/* The guest's end, or its process's, is seen like any other. */
static void stop_guest(struct attach *attach)
{
	struct lodge_error error;

	if (attach->child)
		kill(attach->child, SIGTERM);
	else if (attach->client)
		guest_tell(attach->client, json_pack("{s:s, s:i}", "command", "stop", "grace_ms", 0), &error);
}

/* What is typed */

static void escaped(struct attach *attach, char key)
{
	switch (key) {
	case 'd':
		leave(attach, 0);
		break;
	case 'x':
		stop_guest(attach);
		break;
	case 'a':
	case ESCAPE:
		attach->typed[attach->typed_len++] = ESCAPE;
		break;
	case 'h':
	case '?':
		fputs(help, stderr);
		break;
	default: /* as if neither had been typed */
		break;
	}
}

static void read_keys(struct attach *attach)
{
	char keys[sizeof(attach->typed)];
	ssize_t count = read(STDIN_FILENO, keys, sizeof(keys)), i;

	if (count < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (count <= 0) {
		/* The end of our input is not the end of the guest. */
		attach->input_open = false;
		shutdown(attach->console_fd, SHUT_WR);
		return;
	}
	for (i = 0; i < count && !attach->done; i++) {
		if (attach->in_escape) {
			attach->in_escape = false;
			escaped(attach, keys[i]);
		} else if (keys[i] == ESCAPE && attach->terminal.raw) {
			attach->in_escape = true;
		} else {
			attach->typed[attach->typed_len++] = keys[i];
		}
	}
}

static void send_keys(struct attach *attach)
{
	ssize_t count =
		send(attach->console_fd, attach->typed, attach->typed_len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (count < 0 && errno != EAGAIN && errno != EINTR)
		count = (ssize_t)attach->typed_len; /* the guest ends: nobody reads it any more */
	if (count > 0) {
		attach->typed_len -= (size_t)count;
		memmove(attach->typed, attach->typed + count, attach->typed_len);
	}
}

/* What the guest prints */

static void print_console(struct attach *attach)
{
	char bytes[4096];
	ssize_t count = read(attach->console_fd, bytes, sizeof(bytes)), written = 0;

	if (count < 0 && errno == EINTR)
		return;
	if (count <= 0) {
		close(attach->console_fd);
		attach->console_fd = -1;
		return;
	}
	while (written < count) {
		ssize_t part = write(STDOUT_FILENO, bytes + written, (size_t)(count - written));

		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0) {
			leave(attach, LODGE_STATUS_VMM_ERROR);
			terminal_restore(&attach->terminal);
			print_error(attach->command, strerror(errno));
			return;
		}
		written += part;
	}
}

/* What its process tells */

static void take_events(struct attach *attach)
{
	struct lodge_error error;
	json_t *event;
	int err;

	while (!(err = guest_next_event(attach->client, 0, &event, &error))) {
		if (!strcmp(json_string_value(json_object_get(event, "event")), "exit")) {
			attach->ended = true;
			attach->status = (int)json_integer_value(json_object_get(event, "status"));
		}
		json_decref(event);
	}
	if (err == -ETIMEDOUT)
		return;
	/* A process that ends as it should says so first; that of a child is asked for its status. */
	if (!attach->ended && !attach->child)
		complain(attach, &error);
	attach->ended = true;
	lodge_client_free(attach->client);
	attach->client = NULL;
}

static void tell_size(struct attach *attach)
{
	struct lodge_error error;
	struct winsize size;

	if (!attach->client || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col || !size.ws_row)
		return;
	guest_tell(attach->client,
		json_pack("{s:s, s:i, s:i}", "command", "console-size", "columns", (int)size.ws_col, "rows",
			(int)size.ws_row),
		&error);
}

/* Signals */

static void suspend(struct attach *attach)
{
	terminal_restore(&attach->terminal);
	kill(getpid(), SIGSTOP);
	terminal_make_raw(&attach->terminal, STDIN_FILENO);
	tell_size(attach);
}

static void take_signal(struct attach *attach)
{
	struct signalfd_siginfo signal;

	if (read(attach->signal_fd, &signal, sizeof(signal)) != sizeof(signal))
		return;
	switch (signal.ssi_signo) {
	case SIGWINCH:
		tell_size(attach);
		break;
	case SIGTSTP:
		suspend(attach);
		break;
	default:
		if (attach->child)
			stop_guest(attach);
		else
			leave(attach, LODGE_STATUS_STOPPED);
	}
}

static int open_signals(struct attach *attach)
{
	static const int taken[] = {SIGWINCH, SIGTSTP, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	sigset_t signals;
	unsigned i;

	sigemptyset(&signals);
	for (i = 0; i < ARRAY_SIZE(taken); i++)
		sigaddset(&signals, taken[i]);
	sigprocmask(SIG_BLOCK, &signals, &attach->signals_before);
	attach->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return attach->signal_fd < 0 ? -errno : 0;
}

/* The whole */

static void serve(struct attach *attach)
{
	enum { STDIN, CONSOLE_IN, EVENTS, SIGNALS };
	struct pollfd fds[] = {
		[STDIN] = {.fd = attach->input_open && !attach->typed_len ? STDIN_FILENO : -1,
			.events = POLLIN},
		[CONSOLE_IN] = {.fd = attach->console_fd,
			.events = (short)(POLLIN | (attach->typed_len ? POLLOUT : 0))},
		[EVENTS] = {.fd = attach->client ? lodge_client_fd(attach->client) : -1, .events = POLLIN},
		[SIGNALS] = {.fd = attach->signal_fd, .events = POLLIN},
	};

	if (poll(fds, ARRAY_SIZE(fds), attach->ended ? 100 : -1) < 0)
		return;
	if (fds[SIGNALS].revents)
		take_signal(attach);
	if (fds[CONSOLE_IN].revents & POLLOUT)
		send_keys(attach);
	if (fds[CONSOLE_IN].revents & ~POLLOUT)
		print_console(attach);
	if (fds[STDIN].revents)
		read_keys(attach);
	if (fds[EVENTS].revents && attach->client)
		take_events(attach);
	attach->ended |= attach->child && attach->console_fd < 0;
	if (attach->ended && !attach->ended_at)
		attach->ended_at = clock_ns();
	if (attach->ended && (attach->console_fd < 0 || clock_ns() - attach->ended_at > FAREWELL_NS))
		attach->done = true;
}

/* Until it is over: the status to leave with. */
static int attend(struct attach *attach)
{
	terminal_make_raw(&attach->terminal, STDIN_FILENO);
	if (attach->terminal.raw && !attach->child)
		fprintf(stderr, "lodge: %s: this is %s's console; Ctrl-A d leaves it, Ctrl-A h tells more\n",
			attach->command, attach->name);
	tell_size(attach);
	while (!attach->done)
		serve(attach);
	terminal_restore(&attach->terminal);
	if (!attach->ended && !attach->status)
		fprintf(stderr, "\nlodge: %s: detached; `lodge attach %s` comes back\n", attach->command,
			attach->name);
	return attach->status;
}

static void close_all(struct attach *attach)
{
	if (attach->signal_fd >= 0) {
		close(attach->signal_fd);
		sigprocmask(SIG_SETMASK, &attach->signals_before, NULL);
	}
	if (attach->console_fd >= 0)
		close(attach->console_fd);
	lodge_client_free(attach->client);
}

int attach_guest(const char *command, const char *name)
{
	struct attach attach = {
		.command = command, .name = name, .console_fd = -1, .signal_fd = -1, .input_open = true};
	struct lodge_error error = {.status = LODGE_STATUS_VMM_ERROR, .text = "signals cannot be had"};
	int err = lodge_client_new(name, &attach.client, &error);

	if (!err)
		err = guest_ask(attach.client, guest_request("events"), NULL, &error);
	if (!err)
		err = lodge_guest_console(name, &attach.console_fd, &error);
	if (!err)
		err = open_signals(&attach);
	if (err)
		complain(&attach, &error);
	else
		attend(&attach);
	close_all(&attach);
	return attach.status;
}

int attach_child(const char *command, const char *name, pid_t child, int console_fd)
{
	struct attach attach = {
		.command = command,
		.name = name,
		.child = child,
		.console_fd = console_fd,
		.signal_fd = -1,
		.input_open = true,
	};
	struct lodge_error error;

	/* What the guest printed is in the socket, even if it has ended already. */
	if (!lodge_client_new(name, &attach.client, &error))
		guest_tell(attach.client, guest_request("events"), &error);
	open_signals(&attach);
	attend(&attach);
	if (attach.ended)
		attach.status = detach_child_status(child);
	close_all(&attach);
	return attach.status;
}

static int run_attach(const struct command *self, int argc, char **argv)
{
	int operand, status;

	if (!command_parse(self, argc, argv, NULL, &operand, &status))
		return status;
	return attach_guest(self->name, argv[operand]);
}

const struct command attach_command = {
	.name = "attach",
	.operands = "NAME",
	.kind = OPERAND_GUEST,
	.operands_min = 1,
	.operands_max = 1,
	.help = "go to a guest's console",
	.about =
		"Connects this terminal with a guest's console, whose last 1 MiB is shown first. Ctrl-A d leaves it,\n"
		"Ctrl-A x stops the guest, Ctrl-A a sends a Ctrl-A, Ctrl-A h tells this again. Several may be attached.\n"
		"The exit status is the guest's, if it ends meanwhile.\n",
	.rows = no_options,
	.run = run_attach,
};
