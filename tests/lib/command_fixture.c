#include "lib/command_fixture.h"

#include <stdlib.h>

#include "lib/files.h"

struct command *command;

void command_setup(void)
{
	files_setup();
	command = command_new();
}

void command_teardown(void)
{
	free(command);
	files_teardown();
}
