#include "machine/lodge_error.h"

#include <stdio.h>

#include "lodge.h"
#include "util/error.h"

int lodge_error_from(const struct error *error, int err, struct lodge_error *ret_error)
{
	if (ret_error) {
		ret_error->status = error->kind;
		snprintf(ret_error->text, sizeof(ret_error->text), "%s", error->text);
	}
	return err;
}
