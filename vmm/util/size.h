/* Numbers as people type them. */
#pragma once

#include <stdint.h>

/*
 * "512", "64K", "128M", "2G", "1T": bytes, in powers of 1024, the suffix in either case and optionally
 * followed by "iB" or "B". 0, -EINVAL when it is not such a number, -ERANGE when it does not fit 64 bits.
 */
int size_parse(const char *text, uint64_t *ret_bytes);

/* A decimal number from min to max: 0, -EINVAL or -ERANGE. */
int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);

/* Seconds with up to three decimals, such as "2" or "0.25", as milliseconds: 0, -EINVAL or -ERANGE. */
int seconds_parse(const char *text, uint64_t *ret_ms);

#define SIZE_TEXT_MAX 24

/* "128 MiB", "1.5 GiB": for people; returns buf. */
const char *size_format(uint64_t bytes, char buf[SIZE_TEXT_MAX]);
