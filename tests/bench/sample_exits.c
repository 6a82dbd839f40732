/* Round trips from the guest to user space and back, the guest's own three instructions included. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../vmm/lodge.h"
#include "bench/bare.h"
#include "bench/code.h"
#include "bench/process.h"
#include "bench/sample.h"
#include "lib/elf_builder.h"

static void ignore_kick(int number)
{
	(void)number;
}

/* The whole machine, with a disk. */
static double lodge_run_us(const char *kernel)
{
	const struct lodge_disk disk = {.size = 1 << 20};
	struct lodge_config config;
	struct lodge_result result;
	struct lodge_error error;
	struct lodge_vm *vm;

	lodge_config_init(&config);
	config.kick_signal = SIGRTMIN; /* as `lodge run` has it */
	config.kernel = kernel;
	config.disks = &disk;
	config.disk_count = 1;
	if (lodge_vm_new(&config, &vm, &error))
		fail("%s", error.text);
	lodge_vm_run(vm, &result);
	lodge_vm_free(vm);
	if (result.status)
		fail("%s: %s", lodge_outcome_name(result.outcome), result.message);
	return (double)result.run_us;
}

static double lodge_us(const uint8_t *code, size_t len)
{
	char path[] = "/tmp/lodge-bench-XXXXXX";
	int fd = mkstemp(path);
	double us;

	if (fd < 0 || elf_write_pvh(path, code, len))
		fail("%s cannot be written", path);
	us = lodge_run_us(path);
	close(fd);
	unlink(path);
	return us;
}

void sample_exits(int argc, char **argv)
{
	static const struct {
		const char *name;
		size_t (*write)(uint8_t *code);
	} kinds[] = {{"pio", code_pio}, {"mmio", code_mmio}};

	const struct sigaction ignored = {.sa_handler = ignore_kick, .sa_flags = SA_RESTART};
	bool bare = !strcmp(argv[0], "bare");

	(void)argc;
	sigaction(SIGRTMIN, &ignored, NULL);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint8_t code[CODE_MAX];
		size_t len = kinds[i].write(code);
		double us = bare ? (double)bare_run(code, len, false) / 1e3 : lodge_us(code, len);

		printf("%s %.5f\n", kinds[i].name, us / CODE_EXIT_COUNT);
		if (!bare)
			printf("%s-rate %.0f\n", kinds[i].name, CODE_EXIT_COUNT * 1e6 / us);
	}
}
