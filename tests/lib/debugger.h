/* A debugger, of the few packets that a test needs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct debugger {
	int fd; /* -1: none */
	char reply[8192];
};

/* Connects to a unix socket, and is told of the guest that it stands still. */
void debugger_connect(struct debugger *debugger, const char *path);
void debugger_close(struct debugger *debugger);

/* Sends a packet; waits up to 30 s for one, the next or an answer. "closed": the other side has hung up. */
void debugger_send(struct debugger *debugger, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *debugger_wait(struct debugger *debugger);
const char *debugger_ask(struct debugger *debugger, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Ctrl-C. */
void debugger_break(struct debugger *debugger);

/* A register of 64 bits of the chosen thread, by its number: 0 to 15, and 16 for rip. */
uint64_t debugger_register(struct debugger *debugger, unsigned index);

#define DEBUGGER_RIP 16

/* Whether this host's KVM has the guest stop at breakpoints, and at what it watches; if not, says so. */
bool debugger_has_breakpoints(const char *test);
bool debugger_has_watchpoints(const char *test);

/* A function's address in an ELF64 file. */
uint64_t debugger_symbol(const char *path, const char *name);
