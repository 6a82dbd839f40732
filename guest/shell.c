#include "shell.h"

#include "commands.h"
#include "console.h"
#include "str.h"
#include "uart16550.h"

#define PROMPT   "lodger> "
#define LINE_MAX 1024

enum { CTRL_C = 3, BACKSPACE = 8, CTRL_U = 21, DELETE = 127 };

static char line[LINE_MAX];

int shell_usage(const char *name)
{
	for (const struct command *c = commands; c->name != NULL; c++) {
		if (strcmp(c->name, name) == 0)
			print("%s: usage: %s %s\n", name, name, c->usage);
	}
	return 1;
}

static int split(char *text, char **argv)
{
	int argc = 0;

	for (;;) {
		while (*text == ' ' || *text == '\t')
			text++;
		if (*text == '\0')
			return argc;
		if (argc == SHELL_ARGS)
			return -1;
		argv[argc++] = text;
		while (*text != '\0' && *text != ' ' && *text != '\t')
			text++;
		if (*text != '\0')
			*text++ = '\0';
	}
}

/* echo takes its text as it is, however many words there are. */
static char *echo_text(char *text)
{
	while (*text == ' ' || *text == '\t')
		text++;
	if (strncmp(text, "echo", 4) != 0 || (text[4] != ' ' && text[4] != '\0'))
		return NULL;
	return text[4] == '\0' ? text + 4 : text + 5;
}

int shell_execute(char *text)
{
	char *argv[SHELL_ARGS];
	const char *plain = echo_text(text);

	if (plain != NULL) {
		print("%s\n", plain);
		return 0;
	}
	int argc = split(text, argv);

	if (argc == 0)
		return 0;
	if (argc < 0) {
		print("lodger: more than %d words\n", SHELL_ARGS);
		return 1;
	}
	for (const struct command *c = commands; c->name != NULL; c++) {
		if (strcmp(c->name, argv[0]) == 0)
			return c->run(argc, argv);
	}
	print("lodger: %s: unknown command (help lists them)\n", argv[0]);
	return 1;
}

unsigned shell_execute_list(const char *list)
{
	unsigned failed = 0;

	while (*list != '\0') {
		size_t len = 0;

		while (list[len] != '\0' && list[len] != ';')
			len++;
		if (len >= LINE_MAX) {
			print("lodger: a command of more than %d characters\n", LINE_MAX - 1);
			failed++;
		} else {
			memcpy(line, list, len);
			line[len] = '\0';
			if (shell_execute(line) != 0)
				failed++;
		}
		list += len;
		if (*list == ';')
			list++;
	}
	return failed;
}

/* The next byte; what was echoed so far is sent before we sleep, and only then. */
static uint8_t next_byte(void)
{
	int byte = uart_read();

	if (byte >= 0)
		return (uint8_t)byte;
	console_flush();
	return uart_read_wait();
}

static size_t erase(size_t len, size_t count)
{
	for (; len > 0 && count > 0; len--, count--) {
		console_put('\b');
		console_put(' ');
		console_put('\b');
	}
	return len;
}

/*
 * Reads into line[]: its length, or how long it wanted to be when it did not fit. Every byte is
 * echoed. Ends at CR or LF; the LF of a CR LF is swallowed when the next line begins with it.
 */
static size_t read_line(void)
{
	static bool after_cr;
	size_t len = 0;

	for (;;) {
		uint8_t byte = next_byte();
		bool swallow = byte == '\n' && after_cr;

		after_cr = byte == '\r';
		if (swallow)
			continue;
		switch (byte) {
		case '\r':
		case '\n':
			if (len < LINE_MAX)
				line[len] = '\0';
			print("\n");
			return len;
		case CTRL_C:
			print("^C\n");
			line[0] = '\0';
			return 0;
		case CTRL_U:
			len = erase(len, len);
			break;
		case BACKSPACE:
		case DELETE:
			len = erase(len, 1);
			break;
		case '\t':
			byte = ' ';
			__attribute__((fallthrough));
		default:
			if (byte < ' ')
				break;
			if (len < LINE_MAX)
				line[len] = (char)byte;
			len++;
			console_put((char)byte);
		}
	}
}

void shell_run(void)
{
	for (;;) {
		print(PROMPT);
		size_t len = read_line();

		if (len >= LINE_MAX)
			print("lodger: a line of %lu characters is too long, at most %d fit\n", len,
				LINE_MAX - 1);
		else
			shell_execute(line);
	}
}
