/* Samples one figure: what scripts/bench calls, again and again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/process.h"
#include "bench/sample.h"

static const struct {
	const char *name;
	int arguments; /* at least */
	void (*run)(int argc, char **argv);
} samplers[] = {
	{"elf", 2, sample_elf},
	{"time", 3, sample_time},
	{"first-byte", 2, sample_first_byte},
	{"exits", 1, sample_exits},
	{"guests", 3, sample_guests},
	{"console", 4, sample_console},
	{"memory", 2, sample_memory},
	{"idle", 3, sample_idle},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(samplers) / sizeof(samplers[0]); i++)
		if (!strcmp(argv[1], samplers[i].name) && argc - 2 >= samplers[i].arguments) {
			samplers[i].run(argc - 2, argv + 2);
			return EXIT_SUCCESS;
		}
	fail("tests/bench/sample.h tells what can be sampled");
}
