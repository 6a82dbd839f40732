#include "selftest.h"

#include <stdbool.h>

#include "commands.h"
#include "console.h"
#include "str.h"
#include "virtio_blk.h"

static struct {
	const char *wanted; /* a name's beginning */
	unsigned ok, failed, skipped;
} run;

static void run_one(const char *name, const struct selftest *test)
{
	if (strncmp(name, run.wanted, strlen(run.wanted)) != 0)
		return;
	const char *why = test->run();

	if (why == NULL) {
		print("ok %s\n", name);
		run.ok++;
	} else if (why[0] == '~') {
		print("skip %s: %s\n", name, why + 1);
		run.skipped++;
	} else {
		print("FAIL %s: %s\n", name, why);
		run.failed++;
	}
}

static void run_disks(void)
{
	struct disk *disk;
	char name[32] = "blk0-";

	for (unsigned i = 0; (disk = disk_get(i)) != NULL; i++) {
		selftest_use_disk(disk);
		name[3] = (char)('0' + i);
		for (const struct selftest *t = selftests_disk; t->name != NULL; t++) {
			memcpy(name + 5, t->name, strlen(t->name) + 1);
			run_one(name, t);
		}
	}
}

int command_selftest(int argc, char **argv)
{
	if (argc > 2)
		return shell_usage("selftest");
	run.wanted = argc == 2 ? argv[1] : "";
	run.ok = run.failed = run.skipped = 0;
	for (const struct selftest *t = selftests_machine; t->name != NULL; t++)
		run_one(t->name, t);
	run_disks();
	print("selftest: %u ok, %u failed, %u skipped\n", run.ok, run.failed, run.skipped);
	if (run.ok + run.failed + run.skipped == 0)
		print("selftest: no test's name begins with %s\n", run.wanted);
	return run.failed != 0 || run.ok + run.skipped == 0;
}
