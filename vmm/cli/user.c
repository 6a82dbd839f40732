#include "cli/user.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"
#include "util/size.h"

/* getpwnam() would load libraries, which a static program does not have. */
static bool find(const char *name, uint64_t uid, uid_t *ret_uid, gid_t *ret_gid)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *entry;
	bool found = false;

	if (!file)
		return false;
	while (!found && (entry = fgetpwent(file))) {
		found = name ? !strcmp(entry->pw_name, name) : entry->pw_uid == uid;
		if (found) {
			*ret_uid = entry->pw_uid;
			*ret_gid = entry->pw_gid;
		}
	}
	fclose(file);
	return found;
}

int user_parse(const char *text, uid_t *ret_uid, gid_t *ret_gid)
{
	const char *colon = strchr(text, ':');
	char number[16];
	uint64_t uid, gid;
	uid_t found_uid;
	gid_t found_gid;
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	len = MIN(len, sizeof(number) - 1);
	memcpy(number, text, len);
	number[len] = '\0';
	/* The largest of them are (uid_t)-1, which means nobody at all. */
	if (number_parse(number, 0, UINT32_MAX - 1, &uid)) {
		if (colon || !find(text, 0, &found_uid, &found_gid))
			return -ENOENT;
	} else if (colon) {
		if (number_parse(colon + 1, 0, UINT32_MAX - 1, &gid))
			return -ENOENT;
		found_uid = (uid_t)uid;
		found_gid = (gid_t)gid;
	} else if (!find(NULL, uid, &found_uid, &found_gid)) {
		found_uid = (uid_t)uid;
		found_gid = (gid_t)uid;
	}
	if (!found_uid || !found_gid)
		return -EPERM;
	*ret_uid = found_uid;
	*ret_gid = found_gid;
	return 0;
}
