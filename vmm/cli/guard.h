/* The sandbox of `lodge run`: what the options, the consoles and the name ask of it, and the library's calls into it. */
#pragma once

#include <stdint.h>

#include "cli/consoles.h"
#include "cli/run_options.h"
#include "lodge_control.h"
#include "sandbox/sandbox.h"

struct guard {
	struct sandbox sandbox;
	bool on;
	uint64_t inherited[16]; /* a bit a descriptor that was open when lodge began, from 3 on */
};

/* First of all. */
void guard_note_inherited(struct guard *guard);

/* Before the process splits: the half that runs the guest gets a pid namespace, where this host has them. */
void guard_before_split(struct guard *guard, const struct run_options *options);

/*
 * When the consoles and the report are open, and no VM is made yet: begins, and makes *config call the rest. instance
 * may be NULL, report_fd -1; debugger is NULL where none is let in, and else its socket's file, if it has one.
 */
void guard_begin(struct guard *guard, const struct run_options *options, const struct consoles *consoles,
	const struct lodge_instance *instance, const struct socket_file *debugger, int report_fd,
	struct lodge_config *config);

/* What is in force, for the report. */
void guard_tell(const struct guard *guard, struct lodge_result *result);

void guard_fini(struct guard *guard); /* zeroed ones too */
