#include "lib/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Each test is a process of its own: this is the test's. */
static char folder[64];
static int before = -1;

/* Makes the path in a variable absolute, so that it holds in any folder. */
static void make_absolute(const char *variable)
{
	const char *path = getenv(variable);
	char *whole = path ? realpath(path, NULL) : NULL;

	if (whole)
		setenv(variable, whole, 1);
	free(whole);
}

void files_setup(void)
{
	char runtime_dir[sizeof(folder) + 3];

	make_absolute("LODGE");
	make_absolute("LODGER");
	before = open(".", O_RDONLY | O_CLOEXEC);
	snprintf(folder, sizeof(folder), "/tmp/lodge-test-XXXXXX");
	if (before < 0 || !mkdtemp(folder) || chdir(folder))
		abort();
	snprintf(runtime_dir, sizeof(runtime_dir), "%s/rt", folder);
	setenv("LODGE_RUNTIME_DIR", runtime_dir, 1);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void files_teardown(void)
{
	if (fchdir(before))
		abort();
	close(before);
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void files_make(const char *path, uint64_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)size))
		abort();
	close(fd);
}

void files_write(const char *path, const void *bytes, uint64_t size)
{
	FILE *file = fopen(path, "w");

	if (!file || fwrite(bytes, 1, size, file) != size || fclose(file))
		abort();
}

unsigned files_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

unsigned files_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned count = 0;
	int c;

	while ((c = getc(maps)) != EOF)
		count += c == '\n';
	fclose(maps);
	return count;
}
