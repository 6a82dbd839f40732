#include "cli/terminal.h"

#include <unistd.h>

void terminal_make_raw(struct terminal *terminal, int fd)
{
	struct termios raw;

	*terminal = (struct terminal){.fd = fd};
	if (!isatty(fd) || tcgetattr(fd, &terminal->before))
		return;
	raw = terminal->before;
	cfmakeraw(&raw);
	/* Output stays cooked: a guest's bare newline, and our own messages, then begin a line. */
	raw.c_oflag |= OPOST | ONLCR;
	terminal->raw = !tcsetattr(fd, TCSANOW, &raw);
}

void terminal_restore(struct terminal *terminal)
{
	if (terminal->raw)
		tcsetattr(terminal->fd, TCSADRAIN, &terminal->before);
	terminal->raw = false;
}
