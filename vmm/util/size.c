#include "util/size.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Digits only: strtoull() alone would take blanks, signs and hex. */
static int digits_parse(const char *text, uint64_t *ret_value, const char **ret_end)
{
	char *end;
	unsigned long long value;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno)
		return -ERANGE;
	*ret_value = value;
	*ret_end = end;
	return 0;
}

int size_parse(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "KMGT";
	const char *end, *unit;
	uint64_t value;
	unsigned shift = 0;
	int err = digits_parse(text, &value, &end);

	if (err)
		return err;
	if (*end && (unit = strchr(units, toupper((unsigned char)*end)))) {
		shift = 10 * (unsigned)(unit - units + 1);
		end++;
	}
	if (*end && strcasecmp(end, "B") != 0 && (!shift || strcasecmp(end, "iB") != 0))
		return -EINVAL;
	if (value > UINT64_MAX >> shift)
		return -ERANGE;
	*ret_bytes = value << shift;
	return 0;
}

int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	const char *end;
	uint64_t value;
	int err = digits_parse(text, &value, &end);

	if (err)
		return err;
	if (*end)
		return -EINVAL;
	if (value < min || value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int seconds_parse(const char *text, uint64_t *ret_ms)
{
	const char *end;
	uint64_t seconds, ms = 0, unit = 100;
	int err = digits_parse(text, &seconds, &end);

	if (err)
		return err;
	if (*end == '.') {
		end++;
		for (; isdigit((unsigned char)*end) && unit; unit /= 10)
			ms += (uint64_t)(*end++ - '0') * unit;
	}
	if (*end)
		return -EINVAL;
	if (seconds > INT32_MAX)
		return -ERANGE;
	*ret_ms = seconds * 1000 + ms;
	return 0;
}

const char *size_format(uint64_t bytes, char buf[SIZE_TEXT_MAX])
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	unsigned unit = 0;
	double value = (double)bytes;

	for (; value >= 1024; unit++)
		value /= 1024;
	snprintf(buf, SIZE_TEXT_MAX, "%.*f %s", value == (double)(uint64_t)value ? 0 : 1, value, units[unit]);
	return buf;
}
