#include <stdio.h>

#include "cli/commands.h"

void print_error(const char *command, const char *text)
{
	fprintf(stderr, "lodge: %s: %s\n", command, text);
}
