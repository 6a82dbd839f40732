/*
 * Two virtual machines at once in one process: boots lodger twice, each on a thread, and prints what came of
 * it. Built against an installed lodge:
 *
 *     cc -o embed embed.c $(pkg-config --cflags --libs lodge)
 */
#include <inttypes.h>
#include <lodge.h>
#include <pthread.h>
#include <stdio.h>

struct guest {
	const char *name;
	const char *append;
	struct lodge_error error; /* when the VM could not be made */
	struct lodge_result result;
};

static void *run_guest(void *arg)
{
	struct guest *guest = arg;
	struct lodge_config config;
	struct lodge_vm *vm;

	lodge_config_init(&config);
	config.append = guest->append;
	config.timeout_ms = 60000;
	if (lodge_vm_new(&config, &vm, &guest->error) < 0) {
		lodge_result_from_error(&guest->error, &guest->result);
		return NULL;
	}
	lodge_vm_run(vm, &guest->result);
	lodge_vm_free(vm);
	return NULL;
}

int main(void)
{
	struct guest guests[] = {
		{.name = "first", .append = "run=info"},
		{.name = "second", .append = "run=exit 42"},
	};
	pthread_t threads[2];
	int i;

	for (i = 0; i < 2; i++) {
		if (pthread_create(&threads[i], NULL, run_guest, &guests[i]))
			return 1;
	}
	for (i = 0; i < 2; i++) {
		const struct lodge_result *result = &guests[i].result;

		pthread_join(threads[i], NULL);
		printf("%s: %s, status %d, after %" PRIu64 " us %s\n", guests[i].name,
			lodge_outcome_name(result->outcome), result->status, result->run_us,
			guests[i].error.text);
	}
	return guests[0].result.status != 0 || guests[1].result.status != 42;
}
