/* What /proc says of another process. */
#pragma once

#include <stdbool.h>

/* Whether all its threads are in that state, a letter of proc(5): 'S' sleeps, 'T' was stopped by a signal. */
bool process_is(int pid, char state);

/* Among its first descriptors. */
bool process_has_socket(int pid);
