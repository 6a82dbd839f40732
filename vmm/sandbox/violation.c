#include "sandbox/violation.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/filter.h"
#include "util/bytes.h"

/* Made of the kernel's headers, by the Makefile: libseccomp's own table allocates. */
static const char *const call_names[] = {
#include "sandbox/call_names.h"
};

/* A signal handler is given nothing but the signal: this is the process's one and only. */
static struct violation_config current;

/* Only what is safe in a signal handler. A text that is cut off still ends where it should. */
struct text {
	char bytes[512];
	size_t len;
};

static void add(struct text *text, const char *from)
{
	while (*from && text->len < sizeof(text->bytes))
		text->bytes[text->len++] = *from++;
}

static void add_number(struct text *text, unsigned number)
{
	char digits[12], *at = digits + sizeof(digits);

	*--at = '\0';
	do
		*--at = (char)('0' + number % 10);
	while (number /= 10);
	add(text, at);
}

static void describe(struct text *text, const siginfo_t *info)
{
	const char *thread = sandbox_thread_name((unsigned)info->si_errno);
	unsigned call = (unsigned)info->si_syscall;

	add(text, "sandbox: the ");
	add(text, thread ? thread : "unknown");
	add(text, " thread called ");
	add(text, call < ARRAY_SIZE(call_names) && call_names[call] ? call_names[call] : "a system call");
	add(text, " (");
	add_number(text, call);
	add(text, "), which it never has to, not with these arguments; see docs/sandbox.md");
}

static void put(int fd, const struct text *text)
{
	/* There is nobody left to tell that it failed. */
	(void)!write(fd, text->bytes, text->len);
}

static void write_report(const struct text *what)
{
	struct text text = {0};

	add(&text, "{\n  \"outcome\": \"vmm-error\",\n  \"status\": ");
	add_number(&text, (unsigned)current.status);
	add(&text, ",\n  \"message\": \"");
	add(&text, what->bytes);
	add(&text, "\"\n}\n");
	put(current.report_fd, &text);
}

/* All calls in here are on every thread's list: a forbidden one would be the end by a signal. */
static void forbidden(int number, siginfo_t *info, void *context)
{
	struct text what = {0}, line = {0};

	(void)number;
	(void)context;
	if (info->si_code != 1 /* SYS_SECCOMP */)
		return;
	describe(&what, info);
	add(&line, "lodge: run: ");
	add(&line, what.bytes);
	add(&line, "\n");
	if (current.terminal_fd >= 0)
		tcsetattr(current.terminal_fd, TCSAFLUSH, &current.terminal);
	put(STDERR_FILENO, &line);
	if (current.report_fd >= 0)
		write_report(&what);
	_exit(current.status);
}

void violation_install(const struct violation_config *config)
{
	struct sigaction action = {.sa_sigaction = forbidden, .sa_flags = SA_SIGINFO};

	current = *config;
	sigfillset(&action.sa_mask);
	sigaction(SIGSYS, &action, NULL);
}
