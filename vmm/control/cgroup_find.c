/* Where this process is in cgroup v2's tree: proc_pid_mountinfo(5), cgroups(7). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/cgroup.h"
#include "util/error.h"

static int join(char to[CGROUP_PATH_MAX], const char *folder, const char *rest)
{
	return snprintf(to, CGROUP_PATH_MAX, "%s%s", folder, rest) < CGROUP_PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* mountinfo writes a blank and the like as \040. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] && text[3]) {
			*to++ = (char)((text[1] - '0') << 6 | (text[2] & 7) << 3 | (text[3] & 7));
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

/* True: the line is of a cgroup2. *ret_root is the cgroup that is mounted, *ret_point is where. */
static bool parse_mount(char *line, char **ret_root, char **ret_point)
{
	char *type = strstr(line, " - "), *field = NULL, *rest = line;
	unsigned i;

	if (!type || strncmp(type, " - cgroup2 ", 11) != 0)
		return false;
	*type = '\0';
	for (i = 0; i < 4; i++)
		field = strsep(&rest, " ");
	*ret_root = field;
	*ret_point = strsep(&rest, " ");
	if (!*ret_root || !*ret_point)
		return false;
	unescape(*ret_root);
	unescape(*ret_point);
	return true;
}

/* The part of own that is below root: NULL where own is elsewhere. */
static const char *below(const char *own, const char *root)
{
	size_t len = strcmp(root, "/") ? strlen(root) : 0;

	if (strncmp(own, root, len) != 0 || (own[len] && own[len] != '/') || strstr(own + len, "/.."))
		return NULL;
	return strcmp(own + len, "/") ? own + len : "";
}

/* The line "0::PATH", cut to the path: 0 or -ENOENT. The text is the caller's to free. */
static int read_own(FILE *self, char **ret_line, const char **ret_own)
{
	size_t size = 0;

	while (getline(ret_line, &size, self) > 0) {
		if (!strncmp(*ret_line, "0::/", 4)) {
			(*ret_line)[strcspn(*ret_line, "\n")] = '\0';
			*ret_own = *ret_line + 3;
			return 0;
		}
	}
	return -ENOENT;
}

int cgroup_find(FILE *mountinfo, FILE *self, char ret_home[CGROUP_PATH_MAX], char ret_top[CGROUP_PATH_MAX],
	struct error *error)
{
	char *line = NULL, *own_line = NULL, *root, *point;
	const char *own, *rest;
	bool mounted = false;
	size_t size = 0;
	int err = read_own(self, &own_line, &own);

	while (!err && getline(&line, &size, mountinfo) > 0) {
		if (!parse_mount(line, &root, &point))
			continue;
		mounted = true;
		rest = below(own, root);
		if (rest && !join(ret_home, point, rest) && !join(ret_top, point, ""))
			goto done;
	}
	if (mounted)
		err = error_set(error, ERROR_HOST, -ENOENT,
			"limits: cgroup v2 is mounted here, but without this process's cgroup, %.200s", own);
	else
		err = error_set(error, ERROR_HOST, -ENOENT,
			"limits: they need cgroup v2, which is not mounted here; mount -t cgroup2 none "
			"/sys/fs/cgroup does it");
done:
	free(own_line);
	free(line);
	return err;
}
