#include "control/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/error.h"
#include "util/size.h"

#define PREFIX       "/lodge-"
#define PERIOD_US    100000u /* the kernel's default */
#define WEIGHT_PLAIN 100     /* every cgroup's, unless somebody says otherwise */
#define REMOVE_TRIES 1000    /* milliseconds */

static const struct {
	unsigned bit;
	const char *name;
} controllers[] = {{CGROUP_CPU, "cpu"}, {CGROUP_MEMORY, "memory"}};

/*
 * Guest memory, what KVM and the kernel need to map it, and what lodge itself takes, scratch disks included. With less
 * than that, a guest that uses what it was given has its process killed.
 */
static uint64_t memory_needed(const struct lodge_config *config)
{
	uint64_t needed = config->memory + config->memory / 64 + MIB(32);
	unsigned i;

	for (i = 0; i < config->disk_count; i++)
		needed += config->disks[i].path ? 0 : config->disks[i].size;
	return needed;
}

static_assert(LODGE_CPU_MAX_MAX == 100 * LODGE_CPUS_MAX, "a percent is of one CPU");

int cgroup_check(const struct lodge_limits *limits, const struct lodge_config *config, struct error *error)
{
	char has[SIZE_TEXT_MAX], needs[SIZE_TEXT_MAX], memory[SIZE_TEXT_MAX];
	uint64_t needed = memory_needed(config);

	if (limits->cpu_share > LODGE_CPU_SHARE_MAX)
		return error_set(error, ERROR_USAGE, -EINVAL, "cpu-share %u: it is %u at most",
			limits->cpu_share, LODGE_CPU_SHARE_MAX);
	if (limits->cpu_max_percent > LODGE_CPU_MAX_MAX)
		return error_set(error, ERROR_USAGE, -EINVAL,
			"cpu-max %u%%: it is %u%% at most, 100%% for each of %u CPUs",
			limits->cpu_max_percent, LODGE_CPU_MAX_MAX, LODGE_CPUS_MAX);
	if (limits->memory_max && limits->memory_max < needed && !config->overcommit)
		return error_set(error, ERROR_USAGE, -EINVAL,
			"memory-max of %s: with %s of guest memory it is to be %s at least, or the guest would be "
			"killed for using it; --overcommit takes that risk",
			size_format(limits->memory_max, has), size_format(config->memory, memory),
			size_format(needed, needs));
	return 0;
}

/* Files of cgroups */

static int join(char to[CGROUP_PATH_MAX], const char *folder, const char *file)
{
	int len = snprintf(to, CGROUP_PATH_MAX, "%s%s", folder, file);

	return len < CGROUP_PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int write_file(int at_fd, const char *folder, const char *file, const char *text)
{
	char path[CGROUP_PATH_MAX];
	int fd, err = join(path, folder, file);
	ssize_t count;

	if (err)
		return err;
	fd = openat(at_fd, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	do
		count = write(fd, text, strlen(text));
	while (count < 0 && errno == EINTR);
	err = count < 0 ? -errno : 0;
	close(fd);
	return err;
}

/* What fits of a file; "" where it cannot be read. */
static void read_file(int at_fd, const char *folder, const char *file, char *text, size_t size)
{
	char path[CGROUP_PATH_MAX];
	int fd = join(path, folder, file) ? -1 : openat(at_fd, path, O_RDONLY | O_CLOEXEC);
	ssize_t count = fd < 0 ? 0 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[MAX(count, 0)] = '\0';
}

/* Which of our controllers a file lists. */
static unsigned read_controllers(int at_fd, const char *folder, const char *file)
{
	char text[1024], *rest = text, *word;
	unsigned mask = 0, i;

	read_file(at_fd, folder, file, text, sizeof(text));
	while ((word = strsep(&rest, " \n"))) {
		for (i = 0; i < ARRAY_SIZE(controllers); i++)
			mask |= strcmp(word, controllers[i].name) ? 0 : controllers[i].bit;
	}
	return mask;
}

/* Gives controllers to the cgroups below this one ('+'), or takes them back ('-'). */
static int turn_controllers(int at_fd, const char *folder, char sign, unsigned mask)
{
	char text[32] = "";
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(controllers); i++) {
		size_t len = strlen(text);

		if (mask & controllers[i].bit)
			snprintf(text + len, sizeof(text) - len, "%s%c%s", len ? " " : "", sign,
				controllers[i].name);
	}
	return mask ? write_file(at_fd, folder, "/cgroup.subtree_control", text) : 0;
}

/* The cgroup */

static const char *how_to_get_one(void)
{
	return geteuid()
	               ? "`systemd-run --user --scope -p Delegate=yes lodge ...` starts lodge in one that it may divide"
	               : "`systemd-run --scope -p Delegate=yes lodge ...` starts lodge in one that it may divide";
}

/* A path as seen from the topmost cgroup's folder, which is kept open. */
static const char *inside(const struct cgroup *cgroup, const char *path)
{
	const char *rest = path + strlen(cgroup->top);

	return *rest ? rest + strspn(rest, "/") : ".";
}

/*
 * Linux makes the topmost cgroup's folder without it: root would need a capability there to make a cgroup or to remove it, and
 * has none by then, where the process is confined. That goes for every guest with a name, as each may be given limits while it
 * runs (`lodge set`); to wait for the first one, the control thread would need chmod().
 */
static void let_owner_write(const char *folder)
{
	struct stat st;

	if (!stat(folder, &st) && st.st_uid == geteuid() && !(st.st_mode & S_IWUSR))
		(void)chmod(folder, (st.st_mode & 07777) | S_IWUSR);
}

static int find_home(struct cgroup *cgroup, struct error *error)
{
	FILE *mountinfo = fopen(cgroup->mountinfo, "re"), *self = fopen(cgroup->self, "re");
	int err;

	if (mountinfo && self)
		err = cgroup_find(mountinfo, self, cgroup->home, cgroup->top, error);
	else
		err = error_set(error, ERROR_HOST, -ENOENT, "limits: they need /proc, and it is not there");
	if (mountinfo)
		fclose(mountinfo);
	if (self)
		fclose(self);
	if (err)
		return err;
	let_owner_write(cgroup->home);
	cgroup->top_fd = open(cgroup->top, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (cgroup->top_fd >= 0)
		return 0;
	return error_set(error, ERROR_HOST, -errno, "limits: %.200s: %s", cgroup->top, strerror(errno));
}

void cgroup_seek(struct cgroup *cgroup)
{
	if (!cgroup->sought)
		cgroup->missing = find_home(cgroup, &cgroup->missing_error);
	cgroup->sought = true;
}

static int check_controllers(const struct cgroup *cgroup, unsigned wanted, struct error *error)
{
	const char *home = cgroup->home, *top = cgroup->top;
	int fd = cgroup->top_fd;
	unsigned missing = wanted & ~read_controllers(fd, inside(cgroup, home), "/cgroup.controllers"), i;

	for (i = 0; i < ARRAY_SIZE(controllers); i++) {
		if (!(missing & controllers[i].bit))
			continue;
		if (read_controllers(fd, ".", "/cgroup.controllers") & controllers[i].bit)
			return error_set(error, ERROR_HOST, -EOPNOTSUPP,
				"limits: %.200s: the %s controller is not given to this cgroup; %s", home,
				controllers[i].name, how_to_get_one());
		return error_set(error, ERROR_HOST, -EOPNOTSUPP,
			"limits: %.200s: cgroup v2 has no %s controller here; where cgroup v1 has it, the host is to "
			"be booted with systemd.unified_cgroup_hierarchy=1",
			top, controllers[i].name);
	}
	return 0;
}

/* Keeps the path for whoever finds the guest killed: before there is a cgroup. */
static int note(const struct cgroup *cgroup)
{
	int fd = openat(
		cgroup->dir_fd, CGROUP_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	size_t len = strlen(cgroup->path);
	int err = fd < 0 ? -errno : 0;

	if (!err && write(fd, cgroup->path, len) != (ssize_t)len)
		err = -EIO;
	if (fd >= 0)
		close(fd);
	return err;
}

static void drop_note(const struct cgroup *cgroup)
{
	if (cgroup->dir_fd >= 0)
		unlinkat(cgroup->dir_fd, CGROUP_FILE, 0);
}

void cgroup_let_go(struct cgroup *cgroup)
{
	pthread_mutex_lock(&cgroup->lock);
	drop_note(cgroup);
	cgroup->dir_fd = -1;
	pthread_mutex_unlock(&cgroup->lock);
}

/* Who was killed a moment ago may still be in there, and so may KVM's threads for a VM that is being taken apart. */
static int remove_cgroup(int at_fd, const char *path)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	unsigned tries;

	for (tries = 0; unlinkat(at_fd, path, AT_REMOVEDIR); tries++) {
		if (errno != EBUSY || tries == REMOVE_TRIES)
			return -errno;
		nanosleep(&pause, NULL);
	}
	return 0;
}

void cgroup_remove_noted(int dir_fd)
{
	int fd = openat(dir_fd, CGROUP_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char path[CGROUP_PATH_MAX];
	const char *last;
	ssize_t count;

	if (fd < 0)
		return;
	count = read(fd, path, sizeof(path) - 1);
	close(fd);
	path[MAX(count, 0)] = '\0';
	last = strrchr(path, '/');
	if (last && !strncmp(last, PREFIX, strlen(PREFIX)))
		remove_cgroup(AT_FDCWD, path);
	unlinkat(dir_fd, CGROUP_FILE, 0);
}

/* Into the new cgroup, and only then are its controllers turned on: where processes are, none can be (cgroups(7)). */
static int enter(struct cgroup *cgroup, unsigned wanted, struct error *error)
{
	const char *home = inside(cgroup, cgroup->home);
	unsigned enabled = wanted & ~read_controllers(cgroup->top_fd, home, "/cgroup.subtree_control");
	int err = write_file(cgroup->top_fd, inside(cgroup, cgroup->path), "/cgroup.procs", "0");

	if (err)
		return error_set(error, ERROR_HOST, err,
			"limits: %.200s: this process cannot be moved there: %s; %s", cgroup->path,
			strerror(-err), how_to_get_one());
	err = turn_controllers(cgroup->top_fd, home, '+', enabled);
	if (err == -EBUSY)
		return error_set(error, ERROR_HOST, err,
			"limits: %.200s: other processes, such as a shell, are in this cgroup, and it cannot be "
			"divided; %s",
			cgroup->home, how_to_get_one());
	if (err)
		return error_set(error, ERROR_HOST, err,
			"limits: %.200s: its controllers cannot be given on: %s; %s", cgroup->home,
			strerror(-err), how_to_get_one());
	cgroup->enabled |= enabled;
	cgroup->controllers |= wanted;
	return 0;
}

/*
 * Back to where the process came from. A cgroup whose controllers are given on takes no processes, unless it is the
 * topmost; it was in that state before only if somebody else needs it, and then it could not have been our home.
 */
static void leave(struct cgroup *cgroup)
{
	const char *home = inside(cgroup, cgroup->home);
	int fd = cgroup->top_fd;

	if (write_file(fd, home, "/cgroup.procs", "0") == -EBUSY &&
		!turn_controllers(fd, home, '-', cgroup->enabled))
		write_file(fd, home, "/cgroup.procs", "0");
	remove_cgroup(fd, inside(cgroup, cgroup->path));
	drop_note(cgroup);
	*cgroup->path = '\0';
	cgroup->controllers = cgroup->enabled = 0;
	cgroup->limits = (struct lodge_limits){0};
}

/* One of that name is a killed guest's, and empty, or a living one's of another runtime directory. */
static int make(struct cgroup *cgroup, struct error *error)
{
	char name[sizeof(PREFIX) + sizeof(cgroup->name)];
	int err, fd = cgroup->top_fd;
	const char *path;

	snprintf(name, sizeof(name), PREFIX "%s", cgroup->name);
	err = join(cgroup->path, cgroup->home, name);
	if (!err)
		err = note(cgroup);
	path = inside(cgroup, cgroup->path);
	if (!err && mkdirat(fd, path, 0755)) {
		err = -errno;
		if (err == -EEXIST)
			err = remove_cgroup(fd, path) || mkdirat(fd, path, 0755) ? -EEXIST : 0;
	}
	if (!err)
		return 0;
	drop_note(cgroup);
	*cgroup->path = '\0';
	if (err == -EEXIST)
		return error_set(error, ERROR_HOST, err,
			"limits: %.200s%s: this cgroup is in use; choose another name for the guest",
			cgroup->home, name);
	return error_set(error, ERROR_HOST, err, "limits: %.200s: no cgroup can be made here: %s; %s",
		cgroup->home, strerror(-err), how_to_get_one());
}

int cgroup_write(
	int at_fd, const char *path, unsigned mask, const struct lodge_limits *limits, struct error *error)
{
	char weight[24], quota[24], memory[24];
	const struct {
		unsigned controller;
		const char *file, *text;
	} files[] = {
		{CGROUP_CPU, "/cpu.weight", weight},
		{CGROUP_CPU, "/cpu.max", quota},
		{CGROUP_MEMORY, "/memory.max", memory},
	};
	unsigned i;

	snprintf(weight, sizeof(weight), "%u", limits->cpu_share ? limits->cpu_share : WEIGHT_PLAIN);
	snprintf(quota, sizeof(quota), "max");
	snprintf(memory, sizeof(memory), "max");
	if (limits->cpu_max_percent)
		snprintf(quota, sizeof(quota), "%u %u", limits->cpu_max_percent * (PERIOD_US / 100),
			PERIOD_US);
	if (limits->memory_max)
		snprintf(memory, sizeof(memory), "%" PRIu64, limits->memory_max);
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		int err = (mask & files[i].controller) ? write_file(at_fd, path, files[i].file, files[i].text)
		                                       : 0;

		if (err)
			return error_set(error, ERROR_HOST, err, "limits: %.200s%s: %s", path, files[i].file,
				strerror(-err));
	}
	return 0;
}

/* With the lock held. */
static int change(struct cgroup *cgroup, const struct lodge_limits *limits, struct error *error)
{
	unsigned wanted = (limits->cpu_share || limits->cpu_max_percent ? CGROUP_CPU : 0) |
	                  (limits->memory_max ? CGROUP_MEMORY : 0);
	bool is_new = !*cgroup->path;
	int err = 0;

	if (is_new && wanted) {
		cgroup_seek(cgroup);
		err = cgroup->missing;
		if (err)
			*error = cgroup->missing_error;
	}
	if (!err && is_new && wanted)
		err = check_controllers(cgroup, wanted, error);
	if (!err && is_new && wanted)
		err = make(cgroup, error);
	if (err)
		return err;
	if (wanted & ~cgroup->controllers)
		err = enter(cgroup, wanted, error);
	if (!err)
		err = cgroup_write(
			cgroup->top_fd, inside(cgroup, cgroup->path), cgroup->controllers, limits, error);
	if (!err)
		cgroup->limits = *limits;
	else if (is_new)
		leave(cgroup);
	else
		cgroup_write(cgroup->top_fd, inside(cgroup, cgroup->path), cgroup->controllers,
			&cgroup->limits, NULL);
	return err;
}

int cgroup_limit(struct cgroup *cgroup, const struct lodge_limits *limits, struct error *error)
{
	int err;

	pthread_mutex_lock(&cgroup->lock);
	err = change(cgroup, limits, error);
	pthread_mutex_unlock(&cgroup->lock);
	return err;
}

/* The number behind a name: "nr_throttled 4\nthrottled_usec 1234\n"; 0 where it is not there. */
static uint64_t number_after(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

void cgroup_read(struct cgroup *cgroup, struct cgroup_figures *ret_figures)
{
	struct cgroup_figures figures = {0};
	char text[2048];

	pthread_mutex_lock(&cgroup->lock);
	figures.limits = cgroup->limits;
	figures.present = *cgroup->path;
	if (cgroup->controllers & CGROUP_CPU) {
		read_file(cgroup->top_fd, inside(cgroup, cgroup->path), "/cpu.stat", text, sizeof(text));
		figures.throttled_us = number_after(text, "\nthrottled_usec ");
	}
	if (cgroup->controllers & CGROUP_MEMORY) {
		read_file(
			cgroup->top_fd, inside(cgroup, cgroup->path), "/memory.current", text, sizeof(text));
		figures.memory = strtoull(text, NULL, 10);
	}
	pthread_mutex_unlock(&cgroup->lock);
	*ret_figures = figures;
}

void cgroup_init(struct cgroup *cgroup, const char *name, int dir_fd)
{
	*cgroup = (struct cgroup){.dir_fd = dir_fd,
		.top_fd = AT_FDCWD,
		.mountinfo = "/proc/self/mountinfo",
		.self = "/proc/self/cgroup"};
	pthread_mutex_init(&cgroup->lock, NULL);
	snprintf(cgroup->name, sizeof(cgroup->name), "%s", name);
}

void cgroup_fini(struct cgroup *cgroup)
{
	if (*cgroup->path)
		leave(cgroup);
	if (cgroup->top_fd > 0)
		close(cgroup->top_fd);
	cgroup->top_fd = AT_FDCWD;
}
