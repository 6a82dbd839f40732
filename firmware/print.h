/* Words for people, on the first serial port as it is after power-up. */
#pragma once

void print(const char *text);

/* Says what is wrong, and ends the run as a panic does: there is no operating system to tell. */
_Noreturn void fail(const char *text);
