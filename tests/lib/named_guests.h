/* Guests by name, for the tests of what others do with them: detached lodgers in a runtime directory of the test's own. */
#pragma once

#include <stdbool.h>

#include "../../vmm/lodge_control.h"
#include "lib/command_fixture.h"

/* A Check fixture. No test leaves a guest behind, whatever became of it. */
void named_setup(void);
void named_teardown(void);

extern struct lodge_error error; /* of the last call of the library */
extern char seen[1 << 21];       /* what hear() and ask() got */
extern char *runtime_dir;

/* Starts a detached lodger of that name. */
void start(const char *name);

int connect_console(const char *name);

/* Reads on until the text has come: false if it does not within 30 s. */
bool hear(int fd, const char *text);

void say(int fd, const char *text);

/* One request on a connection of its own; its reply is in `seen`. */
void ask(const char *name, const char *request);

int pid_of(const char *name);

/* Waits for a process that ends; whoever inherits an orphan reaps it some time soon. */
bool is_gone(int pid);

/* Neither a guest nor a file. */
bool nothing_is_left(void);
