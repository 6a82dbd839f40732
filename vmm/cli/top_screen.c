#include "cli/top_screen.h"

#include <curses.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/attach.h"
#include "cli/commands.h"
#include "util/bytes.h"
#include "util/clock.h"

#define FIRST_ROW 3 /* below the sum, the message and the columns' heads */

struct top_screen {
	struct top_guests *guests;
	enum top_key key;
	uint64_t every_ns, next_ns; /* when to ask anew */
	SCREEN *screen;
	int signal_fd;
	sigset_t signals_before;
	char selected[LODGE_NAME_MAX + 1];
	unsigned row, first; /* of the selected guest, and of the one on top */
	bool no_help, done;
	int status;
};

static void quit(struct top_screen *screen, int status)
{
	screen->done = true;
	screen->status = status;
}

static struct top_guest *selected(struct top_screen *screen)
{
	return screen->guests->count ? &screen->guests->list[screen->row] : NULL;
}

/* The selection stays with its guest, whose row changes; where that is gone, in its row. */
static void find_selected(struct top_screen *screen)
{
	const struct top_guests *guests = screen->guests;
	unsigned i;

	for (i = 0; i < guests->count; i++) {
		if (!strcmp(guests->list[i].name, screen->selected))
			screen->row = i;
	}
	screen->row = guests->count ? MIN(screen->row, guests->count - 1) : 0;
}

static void select_row(struct top_screen *screen, unsigned row)
{
	if (row >= screen->guests->count)
		return;
	screen->row = row;
	snprintf(screen->selected, sizeof(screen->selected), "%s", screen->guests->list[row].name);
}

static void put(int y, attr_t attributes, const char *line)
{
	attrset(attributes);
	mvaddnstr(y, 0, line, COLS);
	if (attributes & A_REVERSE)
		hline(' ', COLS);
	attrset(A_NORMAL);
}

static void draw(struct top_screen *screen)
{
	const struct top_guests *guests = screen->guests;
	unsigned width = top_name_width(guests->list, guests->count, (unsigned)COLS), i;
	unsigned rows = (unsigned)MAX(LINES - FIRST_ROW - !screen->no_help, 1);
	char line[TOP_LINE_MAX];

	top_sort(guests->list, guests->count, screen->key);
	find_selected(screen);
	if (screen->row < screen->first)
		screen->first = screen->row;
	if (screen->row >= screen->first + rows)
		screen->first = screen->row - rows + 1;
	erase();
	top_print_sum(guests->list, guests->count, line);
	put(0, A_BOLD, line);
	put(1, A_NORMAL,
		guests->count || *guests->message ? guests->message
						  : "no guest runs: `lodge run --detach` starts one");
	top_print_heads(width, line);
	put(2, A_UNDERLINE, line);
	for (i = screen->first; i < guests->count && i < screen->first + rows; i++) {
		top_print_guest(&guests->list[i], width, line);
		put(FIRST_ROW + (int)(i - screen->first), i == screen->row ? A_REVERSE : A_NORMAL, line);
	}
	if (!screen->no_help)
		put(LINES - 1, A_NORMAL,
			"q quit  up/down select  sort: s CPU, m memory, d disk, n name  a attach  p pause/resume  "
			"h help");
	refresh();
}

/* Taken, or it would be delivered when it is no longer blocked. */
static void take_signal(struct top_screen *screen)
{
	struct signalfd_siginfo signal;

	if (read(screen->signal_fd, &signal, sizeof(signal)) > 0)
		quit(screen, LODGE_STATUS_STOPPED);
}

/* Waits for the child, which ends with us when we are asked to end. */
static int wait_for(struct top_screen *screen, pid_t child)
{
	struct pollfd fds[] = {
		{.fd = pidfd_open(child, 0), .events = POLLIN},
		{.fd = screen->signal_fd, .events = POLLIN},
	};
	int status;

	while (fds[0].fd >= 0 && !fds[0].revents) {
		if (poll(fds, ARRAY_SIZE(fds), -1) > 0 && fds[1].revents) {
			take_signal(screen);
			kill(child, SIGTERM);
			break;
		}
	}
	if (fds[0].fd >= 0)
		close(fds[0].fd);
	while (waitpid(child, &status, 0) < 0)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : LODGE_STATUS_VMM_ERROR;
}

/* In a process of its own: it has its own way with signals and the terminal. */
static void attach(struct top_screen *screen, const struct top_guest *guest)
{
	pid_t child;
	int status;

	endwin();
	child = fork();
	if (!child) {
		sigprocmask(SIG_SETMASK, &screen->signals_before, NULL);
		_exit(attach_guest("top", guest->name));
	}
	status = child > 0 ? wait_for(screen, child) : LODGE_STATUS_VMM_ERROR;
	if (status)
		snprintf(screen->guests->message, sizeof(screen->guests->message),
			"%s: left its console with status %d", guest->name, status);
	clearok(curscr, TRUE);
	screen->next_ns = 0;
}

static void act(struct top_screen *screen, int key)
{
	struct top_guest *guest = selected(screen);

	if (key != KEY_RESIZE)
		*screen->guests->message = '\0';
	switch (key) {
	case 'q':
		quit(screen, 0);
		break;
	case KEY_UP:
		select_row(screen, screen->row - 1);
		break;
	case KEY_DOWN:
		select_row(screen, screen->row + 1);
		break;
	case 's':
		screen->key = TOP_BY_CPU;
		break;
	case 'm':
		screen->key = TOP_BY_MEMORY;
		break;
	case 'd':
		screen->key = TOP_BY_DISK;
		break;
	case 'n':
		screen->key = TOP_BY_NAME;
		break;
	case 'h':
		screen->no_help = !screen->no_help;
		break;
	case 'a':
		if (guest)
			attach(screen, guest);
		break;
	case 'p':
		if (guest) {
			top_guests_tell(
				screen->guests, guest, strcmp(guest->state, "paused") ? "pause" : "resume");
			screen->next_ns = 0;
		}
		break;
	default: /* KEY_RESIZE among them: all is drawn anew in any case */
		break;
	}
}

static void serve(struct top_screen *screen)
{
	enum { INPUT, SIGNALS };
	struct pollfd fds[] = {
		[INPUT] = {.fd = STDIN_FILENO, .events = POLLIN},
		[SIGNALS] = {.fd = screen->signal_fd, .events = POLLIN},
	};
	struct lodge_error error;
	uint64_t now = clock_ns(), left;
	int key;

	if (now >= screen->next_ns) {
		if (top_guests_ask(screen->guests, &error))
			snprintf(screen->guests->message, sizeof(screen->guests->message), "%s", error.text);
		screen->next_ns = now + screen->every_ns;
	}
	/* Not while the answers trickle in. */
	if (!top_guests_awaited(screen->guests))
		draw(screen);
	left = MIN(screen->next_ns - now, TOP_SILENT_NS);
	top_guests_wait(screen->guests, fds, ARRAY_SIZE(fds), (int)(left / 1000000) + 1);
	if (fds[SIGNALS].revents)
		take_signal(screen);
	if (fds[INPUT].revents & ~POLLIN)
		quit(screen, LODGE_STATUS_STOPPED); /* the terminal is gone */
	while (!screen->done && (key = getch()) != ERR) {
		act(screen, key);
		draw(screen);
	}
}

/* curses' own handlers of these would exit. Ctrl-Z and the terminal's size are left to it. */
static int open_signals(sigset_t *ret_before)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, ret_before);
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

int top_screen_run(struct top_guests *guests, enum top_key key, uint64_t every_ms)
{
	struct top_screen screen = {.guests = guests, .key = key, .every_ns = every_ms * 1000000};

	screen.signal_fd = open_signals(&screen.signals_before);
	screen.screen = screen.signal_fd >= 0 ? newterm(NULL, stdout, stdin) : NULL;
	if (screen.screen) {
		cbreak();
		noecho();
		curs_set(0);
		keypad(stdscr, TRUE);
		nodelay(stdscr, TRUE);
		while (!screen.done)
			serve(&screen);
		endwin();
		delscreen(screen.screen);
	} else {
		print_error("top", "this terminal is not known ($TERM); --plain needs none");
		screen.status = LODGE_STATUS_USAGE;
	}
	if (screen.signal_fd >= 0)
		close(screen.signal_fd);
	sigprocmask(SIG_SETMASK, &screen.signals_before, NULL);
	return screen.status;
}
