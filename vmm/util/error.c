#include "util/error.h"

#include <stdio.h>

int error_set(struct error *error, enum error_kind kind, int err, const char *format, ...)
{
	if (error) {
		va_list args;

		error->kind = kind;
		va_start(args, format);
		vsnprintf(error->text, sizeof(error->text), format, args);
		va_end(args);
	}
	return err;
}
