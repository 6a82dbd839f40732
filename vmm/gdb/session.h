/*
 * A debugger's session: packets in, replies out, and between them what they do to the guest. Knows no sockets. The guest
 * stands still when it begins.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "gdb/packet.h"
#include "gdb/registers.h"
#include "gdb/target.h"
#include "lodge.h"

struct session {
	const struct target_ops *ops;
	struct lodge_vm *vm;
	unsigned cpus;
	unsigned cpu; /* whose registers and memory are meant: Hg */
	enum registers_layout layout;
	bool no_ack;    /* from the reply on: QStartNoAckMode */
	bool says_kind; /* the debugger wants to know a breakpoint's kind */
	bool running;   /* it waits for the guest to stop */
	struct debug_stop stop;
	struct packet_out reply;
};

void session_init(struct session *session, const struct target_ops *ops, struct lodge_vm *vm, unsigned cpus);

enum session_next {
	SESSION_REPLY,  /* send session->reply */
	SESSION_WAIT,   /* the guest runs: there is a reply when it has stopped */
	SESSION_DETACH, /* send it, and let the guest go on without us */
	SESSION_KILL,   /* send it, and end the guest */
};

/* Answers a packet while the guest stands still. */
enum session_next session_answer(struct session *session, const char *packet);

/* The guest has stopped, or ended: session->reply tells of it. */
void session_stopped(struct session *session, const struct debug_stop *stop);
void session_ended(struct session *session, const struct lodge_result *result);
