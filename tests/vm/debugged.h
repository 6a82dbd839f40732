/* A guest under a debugger, in the test's own process: it listens at "gdb". */
#pragma once

#include "lib/debugger.h"
#include "lib/guest.h"

extern struct guest debugged;
extern struct debugger gdb;

/* A Check fixture. */
void debugged_setup(void);
void debugged_teardown(void);

/* Starts machine code as a kernel (see elf_write_pvh()), or NULL: lodger with `append`; it waits for the debugger, which is connected. */
void debugged_start(const void *code, size_t len, const char *append);

/* Sends the guest on, to its end: its status. */
int debugged_finish(void);

/* Stops it, whatever it does. */
void debugged_stop(void);
