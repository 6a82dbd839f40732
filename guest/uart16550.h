/*
 * The 16550 serial line: output polled, through the FIFO; input by interrupt into a ring.
 * A full ring stops the interrupt, not the sender's bytes: the FIFO fills and the other side waits.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Output at COM1, where a PC has it, so that the banner need not wait for the FDT. */
void uart_early_init(void);

/* Input, at the address and IRQ that hw.h knows. */
void uart_init(void);

void uart_write(const char *buf, size_t len);

/* The next byte, or -1. */
int uart_read(void);

/* Sleeps until a byte is there. */
uint8_t uart_read_wait(void);

uint16_t uart_port(void);

/* Self-test of data, modem lines and interrupt in MCR loop-back: NULL, or what went wrong. */
const char *uart_loopback_data(void);
const char *uart_loopback_modem(void);
const char *uart_loopback_irq(void);
