#include "cli/top_table.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/guest_call.h"
#include "util/bytes.h"

#define BAR_WIDTH     8
#define NAME_MIN      8
#define OTHER_COLUMNS 72 /* all but the names */
#define NUMBER_MAX    16

static void add_up(const json_t *stats, uint64_t totals[TOP_TOTALS])
{
	const json_t *vcpus = json_object_get(stats, "vcpus"), *disks = json_object_get(stats, "disks"), *one;
	size_t i;

	for (i = 0; (one = json_array_get(vcpus, i)); i++) {
		totals[TOP_CPU_US] += guest_number(one, "guest_us") + guest_number(one, "exit_us");
		totals[TOP_EXITS] += guest_number(one, "exits");
	}
	for (i = 0; (one = json_array_get(disks, i)); i++) {
		totals[TOP_READS] += guest_number(one, "reads");
		totals[TOP_WRITES] += guest_number(one, "writes");
		totals[TOP_BYTES_READ] += guest_number(one, "bytes_read");
		totals[TOP_BYTES_WRITTEN] += guest_number(one, "bytes_written");
	}
}

void top_guest_update(struct top_guest *guest, const json_t *stats)
{
	uint64_t uptime_us = guest_number(stats, "uptime_us"), totals[TOP_TOTALS] = {0};
	const char *state = json_string_value(json_object_get(stats, "state"));
	double elapsed;
	unsigned i;

	add_up(stats, totals);
	/* Its clock went back: it is another one. */
	if (uptime_us < guest->uptime_us) {
		guest->uptime_us = 0;
		memset(guest->totals, 0, sizeof(guest->totals));
	}
	elapsed = (double)(uptime_us - guest->uptime_us) / 1e6;
	/* CPU times are estimates, which may go back a little; other counters do where the guest is reset. */
	for (i = 0; i < TOP_TOTALS; i++) {
		guest->rates[i] = elapsed > 0 && totals[i] > guest->totals[i]
		                          ? (double)(totals[i] - guest->totals[i]) / elapsed
		                          : 0;
	}
	memcpy(guest->totals, totals, sizeof(totals));
	guest->uptime_us = uptime_us;
	guest->memory = guest_number(stats, "memory");
	guest->resident = guest_number(stats, "memory_resident");
	guest->cpus = (unsigned)json_array_size(json_object_get(stats, "vcpus"));
	snprintf(guest->state, sizeof(guest->state), "%s", state ? state : "-");
}

void top_guest_set_state(struct top_guest *guest, const char *state)
{
	snprintf(guest->state, sizeof(guest->state), "%s", state);
	memset(guest->rates, 0, sizeof(guest->rates));
}

static double weight(const struct top_guest *guest, enum top_key key)
{
	switch (key) {
	case TOP_BY_CPU:
		return guest->rates[TOP_CPU_US];
	case TOP_BY_MEMORY:
		return (double)guest->resident;
	case TOP_BY_DISK:
		return guest->rates[TOP_BYTES_READ] + guest->rates[TOP_BYTES_WRITTEN];
	default:
		return 0;
	}
}

static int compare(const void *a, const void *b, void *key)
{
	const struct top_guest *first = a, *second = b;
	double left = weight(first, *(enum top_key *)key), right = weight(second, *(enum top_key *)key);

	if (left != right)
		return left > right ? -1 : 1;
	return strcmp(first->name, second->name);
}

void top_sort(struct top_guest *guests, unsigned count, enum top_key key)
{
	if (count)
		qsort_r(guests, count, sizeof(*guests), compare, &key);
}

unsigned top_name_width(const struct top_guest *guests, unsigned count, unsigned columns)
{
	unsigned most = columns > OTHER_COLUMNS + NAME_MIN ? columns - OTHER_COLUMNS : NAME_MIN;
	unsigned width = NAME_MIN, i;

	for (i = 0; i < count; i++)
		width = MAX(width, (unsigned)strlen(guests[i].name));
	return MIN(width, most);
}

/* In four or five characters: "0", "999", "1.5K", "128M"; `step` is 1000 or 1024. */
static const char *short_number(double value, double step, char text[NUMBER_MAX])
{
	const char *unit = " KMGTPE";

	for (; value >= 999.5 && unit[1]; unit++)
		value /= step;
	if (*unit == ' ')
		snprintf(text, NUMBER_MAX, "%.0f", value);
	else
		snprintf(text, NUMBER_MAX, "%.*f%c", value < 9.95, MIN(value, 9999), *unit);
	return text;
}

static void print_uptime(uint64_t us, char text[NUMBER_MAX])
{
	unsigned s = (unsigned)MIN(us / 1000000, UINT32_MAX);

	if (s < 3600)
		snprintf(text, NUMBER_MAX, "%um%02us", s / 60, s % 60);
	else if (s < 100 * 3600)
		snprintf(text, NUMBER_MAX, "%uh%02um", s / 3600, s / 60 % 60);
	else
		snprintf(text, NUMBER_MAX, "%ud", s / 86400);
}

void top_print_sum(const struct top_guest *guests, unsigned count, char line[TOP_LINE_MAX])
{
	char resident[NUMBER_MAX], memory[NUMBER_MAX], in[NUMBER_MAX], out[NUMBER_MAX], requests[NUMBER_MAX];
	struct top_guest sum = {0};
	unsigned running = 0, i, j;

	for (i = 0; i < count; i++) {
		for (j = 0; j < TOP_TOTALS; j++)
			sum.rates[j] += guests[i].rates[j];
		sum.memory += guests[i].memory;
		sum.resident += guests[i].resident;
		sum.cpus += guests[i].cpus;
		running += !strcmp(guests[i].state, "running");
	}
	snprintf(line, TOP_LINE_MAX,
		"%u guest%s, %u running  CPU %.0f%% of %u CPUs  memory %s of %s  disks: read %s/s, written %s/s, "
		"%s requests/s",
		count, count == 1 ? "" : "s", running, sum.rates[TOP_CPU_US] / 1e4, sum.cpus,
		short_number((double)sum.resident, 1024, resident),
		short_number((double)sum.memory, 1024, memory),
		short_number(sum.rates[TOP_BYTES_READ], 1024, in),
		short_number(sum.rates[TOP_BYTES_WRITTEN], 1024, out),
		short_number(sum.rates[TOP_READS] + sum.rates[TOP_WRITES], 1000, requests));
}

#define COLUMNS "%-*.*s %-8.8s %5s %-10s %5s %6s %6s %6s %5s %5s %6s"

void top_print_heads(unsigned name_width, char line[TOP_LINE_MAX])
{
	snprintf(line, TOP_LINE_MAX, COLUMNS, (int)name_width, (int)name_width, "NAME", "STATE", "CPU%", "",
		"MEM", "EXIT/s", "RD-B/s", "WR-B/s", "RD/s", "WR/s", "UP");
}

void top_print_guest(const struct top_guest *guest, unsigned name_width, char line[TOP_LINE_MAX])
{
	char cpu[NUMBER_MAX], memory[NUMBER_MAX], exits[NUMBER_MAX], bytes_read[NUMBER_MAX], up[NUMBER_MAX];
	char bytes_written[NUMBER_MAX], reads[NUMBER_MAX], writes[NUMBER_MAX], bar[BAR_WIDTH + 3];
	double cpus = guest->rates[TOP_CPU_US] / 1e6;
	int filled = guest->cpus ? (int)(MIN(cpus / guest->cpus, 1) * BAR_WIDTH + 0.5) : 0;

	snprintf(bar, sizeof(bar), "[%-*.*s]", BAR_WIDTH, filled, "||||||||");
	snprintf(cpu, sizeof(cpu), "%.0f", MIN(cpus * 100, 99999));
	print_uptime(guest->uptime_us, up);
	snprintf(line, TOP_LINE_MAX, COLUMNS, (int)name_width, (int)name_width, guest->name, guest->state,
		cpu, bar, short_number((double)guest->resident, 1024, memory),
		short_number(guest->rates[TOP_EXITS], 1000, exits),
		short_number(guest->rates[TOP_BYTES_READ], 1024, bytes_read),
		short_number(guest->rates[TOP_BYTES_WRITTEN], 1024, bytes_written),
		short_number(guest->rates[TOP_READS], 1000, reads),
		short_number(guest->rates[TOP_WRITES], 1000, writes), up);
}
