/*
 * A Linux guest that is controlled from outside: when its console shows a line "linux: please VERB", that is done to
 * it. Usage: control CPUS KERNEL INITRD APPEND. Its console is our stdout; the exit status is the run's.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../vmm/lodge.h"

#define PLEASE        "linux: please "
#define END           "control: end\n" /* the VM keeps the pipe open until it is freed */
#define PAUSE_SECONDS 5

struct control {
	struct lodge_vm *vm;
	FILE *console;
};

static void do_as_asked(struct lodge_vm *vm, const char *verb)
{
	int err = 0;

	if (!strncmp(verb, "pause", 5)) {
		err = lodge_vm_pause(vm);
		sleep(PAUSE_SECONDS);
		if (!err)
			err = lodge_vm_resume(vm);
	} else if (!strncmp(verb, "press", 5)) {
		err = lodge_vm_press_power(vm);
	}
	printf("control: %.5s: %d\n", verb, err);
	fflush(stdout);
}

static void *watch(void *ctx)
{
	struct control *control = ctx;
	char line[4096];

	while (fgets(line, sizeof(line), control->console) && strcmp(line, END) != 0) {
		const char *asked = strstr(line, PLEASE);

		fputs(line, stdout);
		fflush(stdout);
		if (asked)
			do_as_asked(control->vm, asked + strlen(PLEASE));
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct control control;
	struct lodge_console console = {.in = -1, .out = -1};
	struct lodge_config config;
	struct lodge_error error;
	struct lodge_result result;
	pthread_t thread;
	int ends[2];

	if (argc != 5 || pipe(ends) || !(control.console = fdopen(ends[0], "r")))
		return LODGE_STATUS_USAGE;
	lodge_config_init(&config);
	config.cpus = (unsigned)atoi(argv[1]);
	config.kernel = argv[2];
	config.initrd = argv[3];
	config.append = argv[4];
	console.out = ends[1];
	config.consoles = &console;
	config.console_count = 1;
	config.timeout_ms = 200000;
	if (lodge_vm_new(&config, &control.vm, &error)) {
		fprintf(stderr, "control: %s\n", error.text);
		return error.status;
	}
	if (pthread_create(&thread, NULL, watch, &control))
		return LODGE_STATUS_VMM_ERROR;
	lodge_vm_run(control.vm, &result);
	if (write(ends[1], "\n" END, sizeof(END)) < 0)
		return LODGE_STATUS_VMM_ERROR;
	pthread_join(thread, NULL);
	lodge_vm_free(control.vm);
	fprintf(stderr, "%s\n", result.message);
	return result.status;
}
