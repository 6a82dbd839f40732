#include "console.h"

#include <stdbool.h>

#include "str.h"
#include "uart16550.h"

static char line[256];
static size_t used;

void console_flush(void)
{
	uart_write(line, used);
	used = 0;
}

void console_put(char c)
{
	line[used++] = c;
	if (used == sizeof(line))
		console_flush();
}

static void put_text(char c)
{
	if (c == '\n')
		console_put('\r');
	console_put(c);
	if (c == '\n')
		console_flush();
}

struct spec {
	bool left;
	bool zero;
	bool wide; /* l or z */
	int width;
};

static void put_padded(const struct spec *spec, const char *text, size_t len, bool minus)
{
	int pad = spec->width - (int)len - (minus ? 1 : 0);

	if (minus && spec->zero)
		put_text('-');
	while (!spec->left && pad-- > 0)
		put_text(spec->zero ? '0' : ' ');
	if (minus && !spec->zero)
		put_text('-');
	for (size_t i = 0; i < len; i++)
		put_text(text[i]);
	while (spec->left && pad-- > 0)
		put_text(' ');
}

static void put_number(const struct spec *spec, uint64_t value, unsigned base, bool minus)
{
	char digits[24];
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	put_padded(spec, digits + at, sizeof(digits) - at, minus);
}

static const char *parse_spec(const char *format, struct spec *ret_spec)
{
	struct spec spec = {0};

	for (;; format++) {
		if (*format == '-')
			spec.left = true;
		else if (*format == '0')
			spec.zero = true;
		else
			break;
	}
	while (*format >= '0' && *format <= '9')
		spec.width = spec.width * 10 + (*format++ - '0');
	while (*format == 'l' || *format == 'z') {
		spec.wide = true;
		format++;
	}
	*ret_spec = spec;
	return format;
}

void print_va(const char *format, va_list args)
{
	va_list ap; /* its address is taken below: a parameter's type would not do */

	va_copy(ap, args);
	for (; *format != '\0'; format++) {
		struct spec spec;
		const char *text;
		int64_t number;

		if (*format != '%') {
			put_text(*format);
			continue;
		}
		format = parse_spec(format + 1, &spec);
		switch (*format) {
		case 'c':
			put_text((char)va_arg(ap, int));
			break;
		case 's':
			text = va_arg(ap, const char *);
			put_padded(&spec, text, strlen(text), false);
			break;
		case 'd':
			number = spec.wide ? va_arg(ap, int64_t) : va_arg(ap, int);
			put_number(
				&spec, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, 10, number < 0);
			break;
		case 'u':
		case 'x':
			put_number(&spec, spec.wide ? va_arg(ap, uint64_t) : va_arg(ap, unsigned),
				*format == 'u' ? 10 : 16, false);
			break;
		case 'p':
			put_text('0');
			put_text('x');
			put_number(&spec, (uintptr_t)va_arg(ap, void *), 16, false);
			break;
		default:
			put_text(*format);
		}
	}
	va_end(ap);
}

void print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_va(format, args);
	va_end(args);
}
