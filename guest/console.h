/* What lodger says and hears: printf() to the serial line, with a buffer of one line. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* printf(): %c %s %d %u %x %p %% with width, 0, - and l, z. A newline gives CR LF. */
__attribute__((format(printf, 1, 2))) void print(const char *format, ...);
void print_va(const char *format, va_list args);

/* Bytes as they are: no CR is added. Sent when a line ends, the buffer is full or on console_flush(). */
void console_put(char c);
void console_flush(void);
