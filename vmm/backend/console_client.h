/* What console.c and console_listen.c share. All on the event-loop thread. */
#pragma once

#include "backend/console.h"

/* Begins to read and to write, from the oldest byte that is kept. */
void console_client_start(struct console_client *client);

/*
 * Writes what is due to a client: 0 when that was all, -EAGAIN when there is more, for when it has room or its next
 * turn comes, or the error that ends all writing to it.
 */
int console_client_transmit(struct console_client *client);

/* All that the chip has sent is due now. */
void console_end_batch(struct console *console);

/* console_listen.c: readies the console for that socket, 0 or -errno; and what is `ready` when someone connects. */
int console_listen_init(struct console *console, int fd);
void console_listen_ready(void *listener, uint32_t events);
