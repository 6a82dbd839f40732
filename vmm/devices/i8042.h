/*
 * The i8042 keyboard controller, as far as a guest needs it to reset the machine, to switch A20,
 * and to find out soon that neither a keyboard nor a mouse is there. Yet a guest that listens all
 * the same hears Ctrl-Alt-Del, where the host has such a thing to say.
 *
 * Two ranges of one byte serve it: data (0x60 on a PC), and status and command (0x64).
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus/bus.h"
#include "bus/irq.h"
#include "bus/power.h"

struct i8042_config {
	struct power_handle power;
	/*
	 * The keyboard's interrupt (IRQ 1 on a PC), high while a byte waits and the config byte
	 * allows it. It may be left unconnected; Linux's keyboard driver then waits 2 x 200 ms
	 * before it gives up.
	 */
	struct irq_line irq;
};

struct i8042_state {
	uint8_t status; /* as read, with the output buffer's flags */
	uint8_t config; /* the command byte */
	uint8_t output_port;
	uint8_t output; /* the output buffer, valid while status says that it is full */
	uint8_t expect; /* the command whose parameter the next data byte is, or 0 */
	uint8_t keys;   /* scan codes of a Ctrl-Alt-Del that are still to come */
};

struct i8042 {
	pthread_mutex_t lock; /* guards state; innermost but for what power and irq take */
	struct power_handle power;
	struct irq_line irq;
	struct i8042_state state;
};

/* dev: a struct i8042 */
extern const struct bus_ops i8042_data_ops;
extern const struct bus_ops i8042_command_ops;

/*
 * Types Ctrl-Alt-Del, in scan code set 1, if the guest has the keyboard and its interrupt switched
 * on, and has taken what was typed before. Any thread.
 */
void i8042_press_ctrl_alt_del(struct i8042 *chip);

void i8042_init(struct i8042 *chip, const struct i8042_config *config);
void i8042_fini(struct i8042 *chip);
