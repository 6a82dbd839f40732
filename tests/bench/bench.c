/*
 * make bench: what lodge adds to the host's own KVM. Each figure is measured against its yardstick in
 * interleaved runs of one process tree, and told as a ratio of medians: the machine may be noisy or slow.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "../../vmm/lodge.h"
#include "bench/bare.h"
#include "bench/samples.h"
#include "lib/command.h"
#include "lib/elf_builder.h"

#define START_ROUNDS 30
#define EXIT_ROUNDS  9
#define EXIT_COUNT   20000
#define MEMORY_TEXT  "128M"
#define MEMORY_SIZE  (128ul << 20)

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void print_ratio(const char *what, struct samples *ours, struct samples *theirs, const char *goal)
{
	printf("  => %s: %.2f of %s\n", what, samples_median(ours) / samples_median(theirs), goal);
}

/* From fork to the first byte on stdout, in milliseconds; then the process is ended. */
static double first_byte_ms(const char *const argv[])
{
	struct command *command = command_new();
	double start = now_us(), end;
	char byte;

	command->input = "";
	command->keep_input = true;
	command_start(command, argv);
	if (read(command->out_fd, &byte, 1) != 1) {
		fprintf(stderr, "bench: %s printed nothing\n", argv[0]);
		exit(EXIT_FAILURE);
	}
	end = now_us();
	kill(command->pid, SIGKILL);
	command_finish(command, 10);
	free(command);
	return (end - start) / 1000;
}

static void bench_start(const char *folder)
{
	static struct samples lodge, bare, qemu;
	char bare_path[512], lodger[512];
	const char *const lodge_argv[] = {command_lodge(), "run", "-m", MEMORY_TEXT, NULL};
	const char *const bare_argv[] = {bare_path, NULL};
	const char *const qemu_argv[] = {"/usr/bin/qemu-system-x86_64", "-M", "microvm", "-accel", "kvm",
		"-m", MEMORY_TEXT, "-nodefaults", "-display", "none", "-serial", "stdio", "-kernel", lodger,
		NULL};
	int has_qemu = !access(qemu_argv[0], X_OK);

	snprintf(bare_path, sizeof(bare_path), "%s/tests/bench-bare", folder);
	snprintf(lodger, sizeof(lodger), "%s/lodger.elf", folder);
	for (int i = 0; i < START_ROUNDS; i++) {
		samples_add(&bare, first_byte_ms(bare_argv));
		samples_add(&lodge, first_byte_ms(lodge_argv));
		if (has_qemu && i % 3 == 0)
			samples_add(&qemu, first_byte_ms(qemu_argv));
	}
	printf("start: from fork to the guest's first serial byte\n");
	samples_print(&lodge, "lodge run (lodger)", "ms");
	samples_print(&bare, "bare ioctls (1 instruction)", "ms");
	print_ratio("lodge / bare", &lodge, &bare, "at most 2.0");
	if (has_qemu) {
		samples_print(&qemu, "QEMU microvm (lodger)", "ms");
		print_ratio("lodge / QEMU microvm", &lodge, &qemu, "as little as can be");
	} else {
		printf("  QEMU microvm: not measured, qemu-system-x86_64 is not installed\n");
	}
}

/* mov ecx, EXIT_COUNT; 1: <access>; dec ecx; jnz 1b; xor eax, eax; out 0xf4, al */
static size_t build_loop(uint8_t *code, const uint8_t *access, uint8_t len)
{
	static const uint8_t tail[] = {0x31, 0xc0, 0xe6, 0xf4, 0xf4};
	const uint32_t count = EXIT_COUNT;
	size_t at = 0;

	code[at++] = 0xb9;
	memcpy(code + at, &count, 4);
	at += 4;
	memcpy(code + at, access, len);
	at += len;
	code[at++] = 0x49;
	code[at++] = 0x75;
	code[at++] = (uint8_t)(256 - (len + 3));
	memcpy(code + at, tail, sizeof(tail));
	return at + sizeof(tail);
}

static double lodge_run_us(const char *kernel)
{
	const struct lodge_disk disk = {.size = 1 << 20};
	struct lodge_config config;
	struct lodge_result result;
	struct lodge_error error;
	struct lodge_vm *vm;

	lodge_config_init(&config);
	config.kernel = kernel;
	config.disks = &disk;
	config.disk_count = 1;
	if (lodge_vm_new(&config, &vm, &error)) {
		fprintf(stderr, "bench: %s\n", error.text);
		exit(EXIT_FAILURE);
	}
	lodge_vm_run(vm, &result);
	lodge_vm_free(vm);
	if (result.status) {
		fprintf(stderr, "bench: %s: %s\n", lodge_outcome_name(result.outcome), result.message);
		exit(EXIT_FAILURE);
	}
	return (double)result.run_us;
}

static void bench_exit(const char *name, const uint8_t *access, uint8_t len)
{
	struct samples lodge = {.count = 0}, bare = {.count = 0};
	char path[] = "/tmp/lodge-bench-XXXXXX";
	uint8_t code[64];
	size_t size = build_loop(code, access, len);
	int fd = mkstemp(path);

	if (fd < 0 || elf_write_pvh(path, code, size)) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	for (int i = 0; i < EXIT_ROUNDS; i++) {
		samples_add(&bare, (double)bare_run(code, size) / 1e3 / EXIT_COUNT);
		samples_add(&lodge, lodge_run_us(path) / EXIT_COUNT);
	}
	close(fd);
	unlink(path);
	printf("%s: a round trip, the guest's own instructions included\n", name);
	samples_print(&lodge, "lodge, the whole machine", "us");
	samples_print(&bare, "bare KVM_RUN loop", "us");
	print_ratio("lodge / bare", &lodge, &bare, "at most 1.05");
}

/* Private dirty KiB of a process, guest memory aside: a mapping of just that size. */
static unsigned long private_dirty(pid_t pid)
{
	char path[64], line[512];
	unsigned long start, end, value, total = 0;
	int guest = 0;
	FILE *smaps;

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	smaps = fopen(path, "r");
	while (smaps && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && strchr(line, '-') < strchr(line, ' '))
			guest = end - start == MEMORY_SIZE;
		else if (!guest && sscanf(line, "Private_Dirty: %lu", &value) == 1)
			total += value;
	}
	if (smaps)
		fclose(smaps);
	return total;
}

static void bench_memory(void)
{
	const char *const argv[] = {command_lodge(), "run", "-m", MEMORY_TEXT, NULL};
	struct command *command = command_new();

	command->input = "";
	command->keep_input = true;
	command_start(command, argv);
	if (!command_expect(command, "lodger> ", 30)) {
		fprintf(stderr, "bench: no prompt\n");
		exit(EXIT_FAILURE);
	}
	printf("memory: private dirty pages beyond guest RAM, 1 vCPU, 1 disk\n");
	printf("  => %lu KiB of at most 2048\n", private_dirty(command->pid));
	kill(command->pid, SIGKILL);
	command_finish(command, 10);
	free(command);
}

int main(int argc, char **argv)
{
	/* mov dx, 0x3ff; in al, dx: COM1's scratch register */
	static const uint8_t pio[] = {0x66, 0xba, 0xff, 0x03, 0xec};
	/* mov eax, [0xd0000000]: the first slot's magic value */
	static const uint8_t mmio[] = {0xa1, 0x00, 0x00, 0x00, 0xd0};

	if (argc != 2) {
		fprintf(stderr, "usage: bench BUILD-FOLDER\n");
		return EXIT_FAILURE;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	bench_start(argv[1]);
	bench_exit("PIO exit", pio, sizeof(pio));
	bench_exit("MMIO exit", mmio, sizeof(mmio));
	bench_memory();
	return EXIT_SUCCESS;
}
