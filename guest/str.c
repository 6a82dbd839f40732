#include "str.h"

/*
 * REP costs one emulated step an element on some hosts (design 9): so 8 bytes an element, and
 * plain loops for the short strings of an FDT, where setting REP up would cost more.
 */
void *memcpy(void *restrict to, const void *restrict from, size_t len)
{
	void *d = to;
	const void *s = from;
	size_t words = len / 8;
	size_t rest = len % 8;

	__asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(rest) : : "memory");
	return to;
}

void *memmove(void *to, const void *from, size_t len)
{
	uint8_t *d = to;
	const uint8_t *s = from;

	if (d <= s || d >= s + len) {
		/* Ascending is safe here, and memcpy() ascends; it is just not promised by its type. */
		size_t words = len / 8, rest = len % 8;

		__asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(words) : : "memory");
		__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(rest) : : "memory");
		return to;
	}
	while (len > 0) {
		len--;
		d[len] = s[len];
		/* Or else the compiler makes a call to memmove() of this loop. */
		__asm__ volatile("" : : : "memory");
	}
	return to;
}

void *memset(void *to, int byte, size_t len)
{
	void *d = to;
	size_t words = len / 8, rest = len % 8;
	uint64_t pattern = (uint8_t)byte * 0x0101010101010101u;

	__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(pattern) : "memory");
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(rest) : "a"(pattern) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t len)
{
	const uint8_t *p = a;
	const uint8_t *q = b;

	for (size_t i = 0; i < len; i++) {
		if (p[i] != q[i])
			return p[i] < q[i] ? -1 : 1;
	}
	return 0;
}

void *memchr(const void *buf, int byte, size_t len)
{
	const uint8_t *p = buf;

	for (size_t i = 0; i < len; i++) {
		if (p[i] == (uint8_t)byte)
			return (void *)(uintptr_t)(p + i);
	}
	return NULL;
}

size_t strlen(const char *s)
{
	size_t len = 0;

	while (s[len] != '\0')
		len++;
	return len;
}

size_t strnlen(const char *s, size_t max)
{
	size_t len = 0;

	while (len < max && s[len] != '\0')
		len++;
	return len;
}

int strcmp(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t len)
{
	while (len > 0 && *a != '\0' && *a == *b) {
		a++;
		b++;
		len--;
	}
	return len == 0 ? 0 : (uint8_t)*a - (uint8_t)*b;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(uintptr_t)s;
		if (*s == '\0')
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	for (;; s++) {
		if (*s == (char)c)
			found = s;
		if (*s == '\0')
			return (char *)(uintptr_t)found;
	}
}

char *strstr(const char *s, const char *what)
{
	size_t len = strlen(what);

	for (; *s != '\0'; s++) {
		if (strncmp(s, what, len) == 0)
			return (char *)(uintptr_t)s;
	}
	return len == 0 ? (char *)(uintptr_t)s : NULL;
}

static unsigned digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A') + 10;
	return 36;
}

unsigned long strtoul(const char *restrict s, char **restrict ret_end, int base)
{
	const char *start = s;
	unsigned long value = 0;
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && digit_value(s[2]) < 16;

	if (hex && (base == 0 || base == 16))
		s += 2;
	if (base == 0)
		base = hex ? 16 : 10;
	const char *digits = s;
	while (digit_value(*s) < (unsigned)base)
		value = value * (unsigned)base + digit_value(*s++);
	if (ret_end != NULL)
		*ret_end = (char *)(uintptr_t)(s == digits ? start : s);
	return value;
}

bool str_to_u64(const char *s, uint64_t *ret_value)
{
	char *end;
	uint64_t value = strtoul(s, &end, 0);

	if (end == s || *end != '\0')
		return false;
	*ret_value = value;
	return true;
}
