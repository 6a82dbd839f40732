/* Self-tests: a test returns NULL (ok), a reason (FAIL), or SKIP(reason). */
#pragma once

struct selftest {
	const char *name;
	const char *(*run)(void);
};

/* Marks a reason as one to skip for: selftest.c looks at this first character. */
#define SKIP(reason) ("~" reason)

extern const struct selftest selftests_machine[]; /* selftest_machine.c; each ends with NULL */
extern const struct selftest selftests_disk[];    /* selftest_disk.c: run once a disk */

struct disk;
void selftest_use_disk(struct disk *disk);
