#include "control/runtime_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control/cgroup.h"
#include "util/bytes.h"
#include "util/error.h"

#define CLAIM_TRIES 100 /* each means that somebody else has removed or looked at the entry meanwhile */

static const char letters_and_digits[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
static const char name_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

bool runtime_name_valid(const char *name)
{
	size_t len = strlen(name);

	return len && len < sizeof(((struct runtime_entry *)0)->name) && strspn(name, letters_and_digits) &&
	       strspn(name, name_characters) == len;
}

/* Where the entries are: docs/control.md. */
static int base_path(char path[RUNTIME_PATH_MAX], struct error *error)
{
	const char *own = getenv("LODGE_RUNTIME_DIR"), *user = getenv("XDG_RUNTIME_DIR");
	int len;

	if (own && *own)
		len = snprintf(path, RUNTIME_PATH_MAX, "%s", own);
	else if (user && *user)
		len = snprintf(path, RUNTIME_PATH_MAX, "%s/lodge", user);
	else if (!geteuid())
		len = snprintf(path, RUNTIME_PATH_MAX, "/run/lodge");
	else
		len = snprintf(path, RUNTIME_PATH_MAX, "/tmp/lodge-%u", (unsigned)geteuid());
	if (len < RUNTIME_PATH_MAX)
		return 0;
	return error_set(error, ERROR_USAGE, -ENAMETOOLONG,
		"the runtime directory's path is too long for a socket: set LODGE_RUNTIME_DIR to a shorter one");
}

int runtime_path(const char *name, const char *file, char path[RUNTIME_PATH_MAX], struct error *error)
{
	char base[RUNTIME_PATH_MAX];
	int err = base_path(base, error);

	if (err)
		return err;
	if (snprintf(path, RUNTIME_PATH_MAX, "%s/%s/%s", base, name, file) < RUNTIME_PATH_MAX)
		return 0;
	return error_set(error, ERROR_USAGE, -ENAMETOOLONG,
		"'%s': this name is too long for a socket in %s; choose a shorter one", name, base);
}

/* Others must not be able to put anything there, least of all in /tmp. */
static int open_base(bool create, int *ret_fd, struct error *error)
{
	char path[RUNTIME_PATH_MAX];
	struct stat st;
	int fd, err = base_path(path, error);

	if (err)
		return err;
	if (create && mkdir(path, 0700) && errno != EEXIST)
		goto fail;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		goto fail;
	if (fstat(fd, &st) || st.st_uid != geteuid() || st.st_mode & 077) {
		close(fd);
		return error_set(error, ERROR_HOST, -EPERM,
			"%s: this directory must belong to you and be closed to others (chmod 700)", path);
	}
	*ret_fd = fd;
	return 0;
fail:
	err = -errno;
	return error_set(error, ERROR_HOST, err,
		"%s: the runtime directory: %s; LODGE_RUNTIME_DIR chooses another", path, strerror(-err));
}

void runtime_forget(struct runtime_entry *entry)
{
	const int fds[] = {entry->lock_fd, entry->dir_fd, entry->base_fd};
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	*entry = (struct runtime_entry){.base_fd = -1, .dir_fd = -1, .lock_fd = -1};
}

/* Opens the entry and locks it: 0, -EEXIST (somebody has the lock), -ENOENT (it is gone) or another -errno. */
static int lock_entry(struct runtime_entry *entry, int create)
{
	struct stat held, there;

	entry->dir_fd = openat(entry->base_fd, entry->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (entry->dir_fd < 0)
		return -errno;
	entry->lock_fd = openat(entry->dir_fd, LOCK_FILE, O_RDWR | O_NOFOLLOW | O_CLOEXEC | create, 0600);
	if (entry->lock_fd < 0)
		return -errno;
	if (flock(entry->lock_fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EEXIST : -errno;
	/* Its last owner may have removed the file between our open and our lock: then it is worth nothing. */
	if (fstat(entry->lock_fd, &held) || fstatat(entry->dir_fd, LOCK_FILE, &there, AT_SYMLINK_NOFOLLOW))
		return -errno;
	return held.st_ino == there.st_ino && held.st_dev == there.st_dev ? 0 : -ENOENT;
}

static void remove_files(const struct runtime_entry *entry)
{
	unlinkat(entry->dir_fd, CONTROL_SOCKET, 0);
	unlinkat(entry->dir_fd, CONSOLE_SOCKET, 0);
	cgroup_remove_noted(entry->dir_fd);
}

void runtime_release(struct runtime_entry *entry)
{
	if (!*entry->name)
		return;
	remove_files(entry);
	unlinkat(entry->dir_fd, LOCK_FILE, 0);
	/* Fails if somebody has claimed the name already: it is theirs then. */
	unlinkat(entry->base_fd, entry->name, AT_REMOVEDIR);
	runtime_forget(entry);
}

static int claim_once(const char *name, struct runtime_entry *entry)
{
	bool made = !mkdirat(entry->base_fd, name, 0700);
	int err;

	if (!made && errno != EEXIST)
		return -errno;
	err = lock_entry(entry, O_CREAT);
	if (!err)
		remove_files(entry);
	else if (made)
		unlinkat(entry->base_fd, name, AT_REMOVEDIR); /* fails if somebody has it by now */
	return err;
}

int runtime_claim(const char *name, struct runtime_entry *ret_entry, struct error *error)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	unsigned tries;
	int err = -EINVAL;

	if (!runtime_name_valid(name)) {
		return error_set(error, ERROR_USAGE, -EINVAL,
			"'%s': a name has up to 64 letters, digits, '.', '_' and '-', and begins with a letter or digit",
			name);
	}
	for (tries = 0; tries < CLAIM_TRIES; tries++) {
		struct runtime_entry entry = {.base_fd = -1, .dir_fd = -1, .lock_fd = -1};

		snprintf(entry.name, sizeof(entry.name), "%s", name);
		err = open_base(true, &entry.base_fd, error);
		if (err)
			return err;
		err = claim_once(name, &entry);
		if (!err) {
			*ret_entry = entry;
			return 0;
		}
		runtime_forget(&entry);
		if (err != -ENOENT && err != -EEXIST)
			break;
		/* Who only looks whether the guest lives holds the lock for a moment, too. */
		if (err == -EEXIST && tries >= 5)
			break;
		nanosleep(&pause, NULL);
	}
	if (err == -EEXIST)
		return error_set(error, ERROR_USAGE, err,
			"'%s': a guest of this name is running; see lodge list", name);
	return error_set(error, ERROR_HOST, err, "'%s': its runtime directory: %s", name, strerror(-err));
}

/* 1: a process holds it; 0: none does, and what a dead one left is removed; or -errno: that cannot be told. */
static int is_held(int base_fd, const char *name)
{
	struct runtime_entry entry = {.base_fd = dup(base_fd), .dir_fd = -1, .lock_fd = -1};
	int err;

	if (entry.base_fd < 0)
		return -errno;
	snprintf(entry.name, sizeof(entry.name), "%s", name);
	err = lock_entry(&entry, 0);
	if (!err) {
		runtime_release(&entry);
		return 0;
	}
	/* Without a lock it is on its way in or out; if it is neither, it is an empty directory. */
	if (err == -ENOENT)
		unlinkat(base_fd, name, AT_REMOVEDIR);
	runtime_forget(&entry);
	return err == -EEXIST ? 1 : err == -EMFILE || err == -ENFILE || err == -ENOMEM ? err : 0;
}

int runtime_look(const char *name, struct error *error)
{
	int held = 0, base_fd = -1,
	    err = runtime_name_valid(name) ? open_base(false, &base_fd, error) : -ENOENT;

	if (!err) {
		held = is_held(base_fd, name);
		close(base_fd);
	} else if (err != -ENOENT) {
		return err;
	}
	if (held > 0)
		return 0;
	if (held < 0)
		return error_set(
			error, ERROR_VMM, held, "'%s': its runtime directory: %s", name, strerror(-held));
	return error_set(
		error, ERROR_USAGE, -ESRCH, "'%s': no guest of this name is running; see lodge list", name);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A list of strings that grows. */
struct names {
	char (*at)[sizeof(((struct runtime_entry *)0)->name)];
	unsigned count;
};

/* The name is a valid one, and so fits. */
static int add_name(struct names *names, const char *name)
{
	void *grown = reallocarray(names->at, names->count + 1, sizeof(names->at[0]));

	if (!grown)
		return -ENOMEM;
	names->at = grown;
	memcpy(names->at[names->count++], name, strlen(name) + 1);
	return 0;
}

/* The pointers first, then what they point to. */
static int pack_names(const struct names *names, char ***ret_names)
{
	char **packed = malloc(names->count * (sizeof(char *) + sizeof(names->at[0])) + 1);
	unsigned i;
	char *text;

	if (!packed)
		return -ENOMEM;
	text = (char *)(packed + names->count);
	for (i = 0; i < names->count; i++, text += sizeof(names->at[0]))
		packed[i] = memcpy(text, names->at[i], sizeof(names->at[0]));
	qsort(packed, names->count, sizeof(packed[0]), compare_names);
	*ret_names = packed;
	return 0;
}

int runtime_list(char ***ret_names, unsigned *ret_count, struct error *error)
{
	struct names names = {0};
	const struct dirent *found;
	DIR *dir = NULL;
	int base_fd = -1, err = open_base(false, &base_fd, error);

	if (err && err != -ENOENT)
		return err;
	if (!err) {
		dir = fdopendir(base_fd);
		if (!dir) {
			err = -errno;
			close(base_fd);
			goto done;
		}
		while (!err && (found = readdir(dir))) {
			int held = runtime_name_valid(found->d_name) ? is_held(base_fd, found->d_name) : 0;

			err = held > 0 ? add_name(&names, found->d_name) : held;
		}
	} else {
		err = 0; /* no guest has run yet */
	}
	if (!err)
		err = pack_names(&names, ret_names);
	if (!err)
		*ret_count = names.count;
done:
	if (dir)
		closedir(dir);
	free(names.at);
	return err ? error_set(error, ERROR_VMM, err, "the list of guests: %s", strerror(-err)) : 0;
}
