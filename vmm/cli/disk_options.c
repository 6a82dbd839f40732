#include "cli/disk_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/limits.h"
#include "cli/run_options.h"
#include "util/bytes.h"

/*
 * Takes the next field of a comma-separated list; a comma that belongs to it is written twice. *text moves
 * behind it and becomes NULL at the end. The result is the caller's to free; NULL: no memory.
 */
static char *next_field(const char **text)
{
	const char *from = *text;
	char *field = malloc(strlen(from) + 1), *to = field;

	if (!field)
		return NULL;
	for (;;) {
		if (!*from) {
			*text = NULL;
			break;
		}
		if (*from == ',' && from[1] != ',') {
			*text = from + 1;
			break;
		}
		from += *from == ',';
		*to++ = *from++;
	}
	*to = '\0';
	return field;
}

/* Keeps what points into field, or frees it. */
static int set_disk_field(
	struct run_options *options, struct lodge_disk *disk, char *field, struct error *error)
{
	const char *path = option_value_of(field, "path"), *serial = option_value_of(field, "serial");
	int err = 0;

	if (path || serial) {
		if (path)
			disk->path = path;
		else
			disk->serial = serial;
		if (options->owned_count < ARRAY_SIZE(options->owned)) {
			options->owned[options->owned_count++] = field;
			return 0;
		}
		err = option_bad_value(error, "--disk", field, "too many paths and serials");
	} else if (!strcmp(field, "ro")) {
		disk->read_only = true;
	} else if (!strcmp(field, "direct")) {
		disk->direct = true;
	} else if (!strcmp(field, "poll=auto")) {
		disk->no_poll = false;
	} else if (!strcmp(field, "poll=off")) {
		disk->no_poll = true;
	} else if (!strcmp(field, "aio=io_uring")) {
		disk->aio = LODGE_AIO_IO_URING;
	} else if (!strcmp(field, "aio=threads")) {
		disk->aio = LODGE_AIO_THREADS;
	} else {
		err = option_bad_value(error, "--disk", field,
			"not one of path=FILE, ro, serial=TEXT, direct, poll=off, poll=auto, aio=io_uring, aio=threads");
	}
	free(field);
	return err;
}

int disk_option_set(void *target, const char *value, struct error *error)
{
	struct run_options *options = target;
	struct lodge_disk *disk = &options->disks[options->disk_count];
	const char *text = value;

	if (options->disk_count == LODGE_DISKS_MAX)
		return option_bad_value(error, "--disk", value, "there can be 8 disks at most");
	while (text) {
		char *field = next_field(&text);
		int err = field ? set_disk_field(options, disk, field, error)
		                : error_set(error, ERROR_VMM, -ENOMEM, "--disk: out of memory");

		if (err)
			return err;
	}
	if (!disk->path || !*disk->path)
		return option_bad_value(error, "--disk", value, "no path=FILE in it");
	options->disk_count++;
	return 0;
}

/* Parts that are not named stay as an earlier option left them. */
int disk_rate_option_set(void *target, const char *value, struct error *error)
{
	struct run_options *options = target;
	struct disk_rate rate;
	bool none;
	unsigned i;
	int err = disk_rate_parse("--disk-rate", value, &rate, error);

	if (err)
		return err;
	none = !rate.rate.bytes_per_s && !rate.rate.requests_per_s;
	for (i = rate.first; i < rate.first + rate.count; i++) {
		struct lodge_disk_rate *to = &options->rates[i];

		if (rate.rate.bytes_per_s || none)
			to->bytes_per_s = rate.rate.bytes_per_s;
		if (rate.rate.requests_per_s || none)
			to->requests_per_s = rate.rate.requests_per_s;
	}
	options->rated_disks = MAX(options->rated_disks, rate.first + 1);
	return 0;
}
