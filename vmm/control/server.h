/*
 * The control socket's server: a thread that takes lines from any number of clients, hands each to protocol.h, and
 * sends back what that says. A client that does not read is cut off; none holds up another, or the guest.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lodge.h"

struct cgroup;
struct server;
struct client_connection;

/* Starts to serve listen_fd, which stays the caller's, as do vm, config and cgroup. 0 or -errno. */
int server_start(struct server **ret_server, int listen_fd, const char *name, struct lodge_vm *vm,
	const struct lodge_config *config, struct cgroup *cgroup);

/* Tells every client how the run ended, and ends the thread; the connections stay open. */
void server_finish(struct server *server, const struct lodge_result *result);

/* NULL is fine. */
void server_free(struct server *server);
