#include "cli/limits.h"

#include <errno.h>
#include <string.h>

#include "lodge_control.h"
#include "util/bytes.h"
#include "util/error.h"
#include "util/size.h"

static int parse_share(const char *value, uint64_t *ret_limit)
{
	return number_parse(value, 1, LODGE_CPU_SHARE_MAX, ret_limit);
}

static int parse_percent(const char *value, uint64_t *ret_limit)
{
	size_t len = strlen(value);
	char number[8];

	if (len && value[len - 1] == '%')
		len--;
	if (!len || len >= sizeof(number))
		return -EINVAL;
	memcpy(number, value, len);
	number[len] = '\0';
	return number_parse(number, 1, LODGE_CPU_MAX_MAX, ret_limit);
}

static int parse_size(const char *value, uint64_t *ret_limit)
{
	uint64_t size;
	int err = size_parse(value, &size);

	if (err || !size || size > INT64_MAX)
		return -EINVAL;
	*ret_limit = size;
	return 0;
}

const struct limit cpu_share_limit = {"cpu-share", "cpu_share",
	"not a share from 1 to 10000, where 100 is everybody's, nor none", parse_share};
const struct limit cpu_max_limit = {
	"cpu-max", "cpu_max", "not percent of one CPU, such as 50%, 6400% at most, nor none", parse_percent};
const struct limit memory_max_limit = {
	"memory-max", "memory_max", "not a size, such as 512M or 2G, nor none", parse_size};

int limit_parse(const struct limit *limit, const char *what, const char *value, uint64_t *ret_limit,
	struct error *error)
{
	if (!strcmp(value, "none")) {
		*ret_limit = 0;
		return 0;
	}
	if (!limit->parse(value, ret_limit))
		return 0;
	return error_set(error, ERROR_USAGE, -EINVAL, "%s '%s': %s", what, value, limit->want);
}

/* Takes "3:" off the front of *text: that disk, or without it all of them. */
static int parse_disk(const char **text, struct disk_rate *rate)
{
	size_t len = strcspn(*text, ":=,");
	char digits[4] = "";
	uint64_t disk = 0;

	rate->count = LODGE_DISKS_MAX;
	if ((*text)[len] != ':')
		return 0;
	if (len < sizeof(digits))
		memcpy(digits, *text, len);
	if (number_parse(digits, 0, LODGE_DISKS_MAX - 1, &disk))
		return -ERANGE;
	rate->first = (unsigned)disk;
	rate->count = 1;
	*text += len + 1;
	return 0;
}

static int parse_rate_field(const char *field, struct lodge_disk_rate *rate)
{
	if (!strncmp(field, "bytes=", 6))
		return parse_size(field + 6, &rate->bytes_per_s);
	if (!strncmp(field, "requests=", 9))
		return number_parse(field + 9, 1, INT64_MAX, &rate->requests_per_s);
	return -EINVAL;
}

int disk_rate_parse(const char *what, const char *value, struct disk_rate *ret_rate, struct error *error)
{
	struct disk_rate rate = {0};
	const char *text = value;
	char fields[64], *rest = fields, *field;

	if (parse_disk(&text, &rate))
		return error_set(
			error, ERROR_USAGE, -EINVAL, "%s '%s': disks are counted from 0 to 7", what, value);
	if (strlen(text) >= sizeof(fields))
		goto fail;
	memcpy(fields, text, strlen(text) + 1);
	while (strcmp(text, "none") != 0 && (field = strsep(&rest, ","))) {
		text = field;
		if (parse_rate_field(field, &rate.rate))
			goto fail;
	}
	*ret_rate = rate;
	return 0;
fail:
	return error_set(error, ERROR_USAGE, -EINVAL,
		"%s '%s': not one of bytes=SIZE, requests=N, such as bytes=50M, nor none", what, text);
}
