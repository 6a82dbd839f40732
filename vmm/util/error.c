#include "util/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NO_FILES_LEFT "; raise the limit on open files (ulimit -n)"

int error_set(struct error *error, enum error_kind kind, int err, const char *format, ...)
{
	if (error) {
		va_list args;

		error->kind = kind;
		va_start(args, format);
		vsnprintf(error->text, sizeof(error->text), format, args);
		va_end(args);
		/* Nothing is wrong with what could not be opened, whatever the caller takes it for. */
		if (err == -EMFILE || err == -ENFILE) {
			error->kind = ERROR_VMM;
			strncat(error->text, NO_FILES_LEFT, sizeof(error->text) - strlen(error->text) - 1);
		}
	}
	return err;
}
