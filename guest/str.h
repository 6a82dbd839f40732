/* Strings and bytes: what libfdt and the compiler expect of a C library, and a few of our own. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void *memset(void *to, int byte, size_t len);
int memcmp(const void *a, const void *b, size_t len);
void *memchr(const void *buf, int byte, size_t len);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t len);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *what);
unsigned long strtoul(const char *restrict s, char **restrict ret_end, int base);

/* The whole string as a number (0x for hex): false and *ret_value untouched if it is none. */
bool str_to_u64(const char *s, uint64_t *ret_value);
