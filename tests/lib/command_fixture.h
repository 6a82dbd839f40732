/* A command for the test's use, in a folder of the test's own (files.h). */
#pragma once

#include "lib/command.h"

extern struct command *command;

/* A Check fixture. */
void command_setup(void);
void command_teardown(void);
