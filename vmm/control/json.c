#include "control/json.h"

#include <string.h>
#include <sys/random.h>

#include "util/clock.h"

void json_seed(void)
{
	unsigned seed = 0;

	/* Names come from clients: whoever knows the seed can make hash tables slow, and no more. */
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = (unsigned)clock_ns();
	json_object_seed(seed | 1);
}

static void keep_if(bool good, json_t **value)
{
	if (good)
		return;
	json_decref(*value);
	*value = NULL;
}

void json_put(json_t **object, const char *key, json_t *value)
{
	keep_if(!json_object_set_new(*object, key, value), object);
}

void json_add(json_t **array, json_t *value)
{
	keep_if(!json_array_append_new(*array, value), array);
}

json_t *json_number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

json_t *json_text(const char *text)
{
	json_t *string = json_string(text);
	char plain[512];
	size_t i;

	if (string)
		return string;
	for (i = 0; i < sizeof(plain) - 1 && text[i]; i++)
		plain[i] = (char)((signed char)text[i] < 0 ? '?' : text[i]);
	plain[i] = '\0';
	return json_string(plain);
}

json_t *json_counts(const struct lodge_count *counts, unsigned len)
{
	json_t *object = json_object();
	unsigned i;

	for (i = 0; i < len; i++)
		json_put(&object, counts[i].name, json_number(counts[i].count));
	return object;
}

json_t *json_us(uint64_t ns)
{
	return json_number(ns / 1000);
}

json_t *json_vcpus(const struct lodge_vcpu_stats *vcpus, unsigned count)
{
	json_t *array = json_array();
	unsigned i;

	for (i = 0; i < count; i++) {
		const struct lodge_vcpu_stats *vcpu = &vcpus[i];
		json_t *object = json_object();

		json_put(&object, "guest_us", json_us(vcpu->guest_ns));
		json_put(&object, "exit_us", json_us(vcpu->exit_ns));
		json_put(&object, "exits", json_number(vcpu->exits));
		json_add(&array, object);
	}
	return array;
}

static json_t *latency_us(const struct lodge_latency *latency)
{
	json_t *object = json_object();

	json_put(&object, "count", json_number(latency->count));
	json_put(&object, "p50", json_number(latency->p50_us));
	json_put(&object, "p90", json_number(latency->p90_us));
	json_put(&object, "p99", json_number(latency->p99_us));
	json_put(&object, "p999", json_number(latency->p999_us));
	json_put(&object, "max", json_number(latency->max_us));
	return object;
}

json_t *json_disks(const struct lodge_disk_stats *disks, unsigned count)
{
	json_t *array = json_array();
	unsigned i;

	for (i = 0; i < count; i++) {
		const struct lodge_disk_stats *disk = &disks[i];
		json_t *object = json_object();

		json_put(&object, "engine", json_string(disk->engine));
		json_put(&object, "reads", json_number(disk->reads));
		json_put(&object, "writes", json_number(disk->writes));
		json_put(&object, "flushes", json_number(disk->flushes));
		json_put(&object, "discards", json_number(disk->discards));
		json_put(&object, "others", json_number(disk->others));
		json_put(&object, "errors", json_number(disk->errors));
		json_put(&object, "bytes_read", json_number(disk->bytes_read));
		json_put(&object, "bytes_written", json_number(disk->bytes_written));
		json_put(&object, "latency_us", latency_us(&disk->latency));
		json_put(&object, "throttled_us", json_us(disk->throttled_ns));
		json_add(&array, object);
	}
	return array;
}
