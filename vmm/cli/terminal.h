/* The caller's terminal, while a guest has it. */
#pragma once

#include <stdbool.h>
#include <termios.h>

struct terminal {
	int fd;
	bool raw;
	struct termios before;
};

/* Puts a terminal into raw mode, so that every key reaches the guest; no terminal is left as it is. */
void terminal_make_raw(struct terminal *terminal, int fd);

/* Puts it back; harmless twice. */
void terminal_restore(struct terminal *terminal);
