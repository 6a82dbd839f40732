#include "lib/process.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool process_is(int pid, char state)
{
	char path[64], found = 0;
	glob_t threads;
	size_t i;

	snprintf(path, sizeof(path), "/proc/%d/task/*/stat", pid);
	if (glob(path, 0, NULL, &threads))
		return false;
	for (i = 0; i < threads.gl_pathc; i++) {
		FILE *file = fopen(threads.gl_pathv[i], "re");

		if (!file || fscanf(file, "%*d (%*[^)]) %c", &found) != 1)
			found = 0;
		if (file)
			fclose(file);
		if (found != state)
			break;
	}
	globfree(&threads);
	return found == state;
}

bool process_has_socket(int pid)
{
	char path[64], target[16] = "";

	for (int fd = 3; fd < 10; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		if (readlink(path, target, sizeof(target) - 1) > 0 && !strncmp(target, "socket:", 7))
			return true;
	}
	return false;
}
