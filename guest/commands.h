/* The table of the shell's commands (commands.c), and those that have files of their own. */
#pragma once

#include "shell.h"

extern const struct command commands[]; /* ends with name NULL */

int command_bench(int argc, char **argv);
int command_blk(int argc, char **argv);
int command_crash(int argc, char **argv);
int command_cpus(int argc, char **argv);
int command_hostile(int argc, char **argv);
int command_info(int argc, char **argv);
int command_mem(int argc, char **argv);
int command_selftest(int argc, char **argv);
