/* The hostile command: picks an attack, runs it, and sees whether the machine is still usable. */
#include "hostile.h"

#include <stddef.h>

#include "clock.h"
#include "commands.h"
#include "console.h"
#include "pattern.h"
#include "smp.h"
#include "str.h"
#include "uart16550.h"
#include "virtio_blk.h"

#define CANARY_SECTORS 4u
#define CANARY_SEED    4711u
#define SLEEP_US       1000

static const struct attack *const families[] = {attacks_queue, attacks_chain, attacks_disk, attacks_dma,
	attacks_race, attacks_reset, attacks_irq, attacks_io, attacks_pci, attacks_cpu, attacks_end};

#define FAMILIES (sizeof(families) / sizeof(families[0]))

static uint8_t canary[CANARY_SECTORS * SECTOR_SIZE] __attribute__((aligned(4096)));

/* On the disk's last sectors, which no attack is allowed to change. */
static uint64_t canary_sector(void)
{
	return disk_get(0)->config.capacity - CANARY_SECTORS;
}

static const char *write_canary(void)
{
	pattern_fill(canary, canary_sector(), CANARY_SECTORS, CANARY_SEED);
	if (disk_request(disk_get(0), BLK_T_OUT, canary_sector(), canary, sizeof(canary), 0) != BLK_S_OK)
		return "the disk cannot be written";
	return NULL;
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

/* Timer, disk and CPUs: what a guest that came to its senses would want. */
static const char *check_machine(void)
{
	memset(canary, 0, sizeof(canary));
	clock_wait(never, NULL, SLEEP_US);
	if (!disk_restart(0))
		return "the disk does not start any more";
	if (disk_request(disk_get(0), BLK_T_IN, canary_sector(), canary, sizeof(canary), 0) != BLK_S_OK)
		return "the disk cannot be read any more";
	if (pattern_check(canary, canary_sector(), CANARY_SECTORS, CANARY_SEED) != CANARY_SECTORS)
		return "sectors that nobody wrote to have changed";
	for (uint32_t id = 0; id < SMP_CPUS_MAX; id++) {
		if (smp_cpus[id].alive && id != smp_boot_id() && !smp_ping(id))
			return "another CPU does not answer any more";
	}
	return NULL;
}

/* NULL: all that the attack needs is there. */
static const char *what_lacks(const struct attack *attack)
{
	if (disk_get(0) == NULL)
		return "there is no disk to attack";
	if (attack->smp && smp_wait() < 2)
		return "it takes a second CPU";
	if (attack->disk == HW_OTHER || attack->disk == disk_get(0)->device.hw->kind)
		return NULL;
	return attack->disk == HW_VIRTIO_PCI ? "it takes a disk on PCI" : "it takes a disk on virtio-mmio";
}

static int run_one(const struct attack *attack, uint64_t rounds)
{
	const char *why = what_lacks(attack);

	if (why == NULL)
		why = write_canary();
	if (why == NULL)
		why = attack->run(rounds);
	if (why == NULL)
		why = attack->ends ? "the run goes on" : check_machine();
	if (why != NULL) {
		print("FAIL %s: %s\n", attack->name, why);
		return 1;
	}
	print("ok %s: the machine is still usable\n", attack->name);
	return 0;
}

static int list(void)
{
	for (size_t f = 0; f < FAMILIES; f++) {
		for (const struct attack *a = families[f]; a->name != NULL; a++)
			print("%-20s %s%s%s%s\n", a->name, a->what, a->smp ? " (needs 2 CPUs)" : "",
				a->disk == HW_VIRTIO_PCI    ? " (needs PCI)"
				: a->disk == HW_VIRTIO_MMIO ? " (needs virtio-mmio)"
							    : "",
				a->ends ? " (ends the run)" : "");
	}
	return 0;
}

static int run_all(void)
{
	int failed = 0;

	for (size_t f = 0; f < FAMILIES; f++) {
		for (const struct attack *a = families[f]; a->name != NULL; a++) {
			/* Without any disk each says so. */
			if (!a->ends && (disk_get(0) == NULL || what_lacks(a) == NULL))
				failed |= run_one(a, a->rounds);
		}
	}
	return failed;
}

static const struct attack *find(const char *name)
{
	for (size_t f = 0; f < FAMILIES; f++) {
		for (const struct attack *a = families[f]; a->name != NULL; a++) {
			if (strcmp(a->name, name) == 0)
				return a;
		}
	}
	return NULL;
}

int command_hostile(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "list") == 0)
		return list();
	if (argc == 2 && strcmp(argv[1], "all") == 0)
		return run_all();
	if (argc < 2 || argc > 3)
		return shell_usage("hostile");
	const struct attack *attack = find(argv[1]);

	if (attack == NULL) {
		print("hostile: %s: no such attack (hostile list names them)\n", argv[1]);
		return 1;
	}
	uint64_t rounds = attack->rounds;

	if (argc == 3 && strcmp(argv[2], "forever") == 0)
		rounds = FOREVER;
	else if (argc == 3 && !str_to_u64(argv[2], &rounds))
		return shell_usage("hostile");
	return run_one(attack, rounds);
}
