/*
 * What happens to a call that a thread's filter forbids: a line that names it, and the end of the process with a status
 * of lodge's own. A process has one such handler.
 */
#pragma once

#include <termios.h>

struct violation_config {
	int status;      /* of the process */
	int report_fd;   /* gets a short one; -1: none */
	int terminal_fd; /* whose settings are put back; -1: none */
	struct termios terminal;
};

/* Handles SIGSYS like this from now on. Before the first filter is loaded. */
void violation_install(const struct violation_config *config);
