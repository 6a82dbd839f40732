/* The commands. Each gets its own argv, whose [0] is the command's name, and returns the exit status. */
#pragma once

int command_run(int argc, char **argv);
int command_info(int argc, char **argv);
int command_version(int argc, char **argv);
int command_help(int argc, char **argv);

/* message.c: prints "lodge: COMMAND: TEXT" to stderr. */
void print_error(const char *command, const char *text);
