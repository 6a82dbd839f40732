#include "memory/memory_usage.h"

#include <inttypes.h>
#include <string.h>

#include "memory/guest_memory.h"
#include "util/bytes.h"

/* A mapping of the process, and how many of its bytes are guest memory. */
struct mapping {
	uint64_t start, size;
	uint64_t guest;
};

static uint64_t overlap(const struct guest_memory *mem, uint64_t start, uint64_t size)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < mem->count; i++) {
		uint64_t base = (uintptr_t)mem->regions[i].hva, len = mem->regions[i].size;
		uint64_t from = MAX(start, base), to = MIN(start + size, base + len);

		total += from < to ? to - from : 0;
	}
	return total;
}

/* "7f0000000000-7f0008000000 rw-p ...": the line that begins a mapping. */
static bool parse_head(const char *line, struct mapping *mapping)
{
	uint64_t start, end;
	int at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %n", &start, &end, &at) != 2 || !at || end <= start)
		return false;
	*mapping = (struct mapping){.start = start, .size = end - start};
	return true;
}

/* "Rss:      123 kB" */
static bool parse_field(const char *line, const char *name, uint64_t *ret_bytes)
{
	size_t len = strlen(name);
	uint64_t kib;

	if (strncmp(line, name, len) != 0 || sscanf(line + len, "%" SCNu64, &kib) != 1)
		return false;
	*ret_bytes = kib << 10;
	return true;
}

static uint64_t guests_share(const struct mapping *mapping, uint64_t bytes)
{
	if (!mapping->guest)
		return 0;
	if (mapping->guest == mapping->size)
		return bytes;
	return (uint64_t)((double)bytes * (double)mapping->guest / (double)mapping->size);
}

void memory_usage_read(const struct guest_memory *mem, FILE *smaps, struct memory_usage *ret_usage)
{
	struct memory_usage usage = {0};
	struct mapping mapping = {0};
	char line[512]; /* a longer path continues as a line that means nothing */

	while (fgets(line, sizeof(line), smaps)) {
		uint64_t bytes;

		/* Huge pages that are set aside are no part of Rss. */
		if (parse_head(line, &mapping)) {
			mapping.guest = overlap(mem, mapping.start, mapping.size);
		} else if (parse_field(line, "Rss:", &bytes) ||
			   parse_field(line, "Private_Hugetlb:", &bytes)) {
			usage.resident += guests_share(&mapping, bytes);
			usage.rest += bytes - guests_share(&mapping, bytes);
		} else if (parse_field(line, "Shared_Clean:", &bytes) ||
			   parse_field(line, "Shared_Dirty:", &bytes)) {
			usage.shared += guests_share(&mapping, bytes);
		}
	}
	*ret_usage = usage;
}
