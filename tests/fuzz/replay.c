/*
 * Runs a fuzz target over files, without libFuzzer: the committed corpus, past crashes, or one that make fuzz has just
 * found. Each input that ends the process, or takes too long, is named; the rest are run all the same.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct files {
	char **paths;
	unsigned count, room;
	unsigned seconds; /* that each may take */
};

static void die(const char *what, const char *path)
{
	fprintf(stderr, "replay: %s: %s: %s\n", path, what, strerror(errno));
	exit(2);
}

static void add_file(struct files *files, char *path)
{
	if (files->count == files->room) {
		files->room = files->room ? 2 * files->room : 64;
		files->paths = realloc(files->paths, files->room * sizeof(files->paths[0]));
	}
	if (!path || !files->paths)
		die("no memory", "files");
	files->paths[files->count++] = path;
}

/* A file, or all files of a folder, sorted by name. */
static void add(struct files *files, const char *path)
{
	struct dirent **entries;
	struct stat st;
	int count;

	if (stat(path, &st))
		die("cannot be found", path);
	if (!S_ISDIR(st.st_mode)) {
		add_file(files, strdup(path));
		return;
	}
	count = scandir(path, &entries, NULL, alphasort);
	if (count < 0)
		die("cannot be listed", path);
	for (int i = 0; i < count; i++) {
		char *name;

		if (entries[i]->d_name[0] != '.')
			add_file(files, asprintf(&name, "%s/%s", path, entries[i]->d_name) < 0 ? NULL : name);
		free(entries[i]);
	}
	free(entries);
}

/* The bytes are in a block of their very size, so that ASan sees who reads past them. */
static void run_file(const char *path, unsigned seconds)
{
	FILE *file = fopen(path, "rb");
	struct stat st;
	uint8_t *bytes;

	if (!file || fstat(fileno(file), &st))
		die("cannot be read", path);
	bytes = malloc((size_t)st.st_size + !st.st_size);
	if (!bytes || fread(bytes, 1, (size_t)st.st_size, file) != (size_t)st.st_size)
		die("cannot be read", path);
	fclose(file);
	alarm(seconds);
	LLVMFuzzerTestOneInput(bytes, (size_t)st.st_size);
	alarm(0);
	free(bytes);
}

/* Runs files from *at on, in a process of their own; *at is in shared memory, and stays at one that ends it. */
static int run_some(const struct files *files, volatile unsigned *at)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		die("fork", "replay");
	if (pid == 0) {
		for (; *at < files->count; ++*at)
			run_file(files->paths[*at], files->seconds);
		exit(0); /* and LeakSanitizer has its say */
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die("waitpid", "replay");
	return status;
}

int main(int argc, char **argv)
{
	volatile unsigned *at =
		mmap(NULL, sizeof(*at), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct files files = {.seconds = 20};
	unsigned failed = 0;
	int i = 1;

	if (argc > 2 && !strcmp(argv[1], "--seconds")) {
		files.seconds = (unsigned)atoi(argv[2]);
		i = 3;
	}
	for (; i < argc; i++)
		add(&files, argv[i]);
	if (at == MAP_FAILED || files.count == 0) {
		fprintf(stderr,
			"Usage: %s [--seconds N] FILE|FOLDER...\nThere has to be at least one input.\n",
			argv[0]);
		return 2;
	}
	while (*at < files.count) {
		int status = run_some(&files, at);

		if (status == 0 && *at == files.count)
			break;
		failed++;
		fprintf(stderr, "FAILED: %s: %s %d\n",
			*at < files.count ? files.paths[*at] : "a leak at the end",
			WIFSIGNALED(status) ? "signal" : "status",
			WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		++*at;
	}
	printf("%s: %u inputs, %u failed\n", strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0],
		files.count, failed);
	while (files.count)
		free(files.paths[--files.count]);
	free(files.paths);
	return failed != 0;
}
