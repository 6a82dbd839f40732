/* What console.c and console_listen.c share. All on the event-loop thread. */
#pragma once

#include "backend/console.h"

/* Begins to read and to write, from the oldest byte that is kept. */
void console_client_start(struct console_client *client);

/* console_listen.c: readies the console for that socket, 0 or -errno; and what is `ready` when someone connects. */
int console_listen_init(struct console *console, int fd);
void console_listen_ready(void *listener, uint32_t events);
