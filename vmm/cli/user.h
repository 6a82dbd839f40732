/* Users by name or by number. */
#pragma once

#include <sys/types.h>

/*
 * "NAME", of /etc/passwd, "UID" or "UID:GID": 0; -ENOENT: there is no such user; -EPERM: it is root, or root's group. A
 * UID alone has the group of its entry in /etc/passwd, or one of its own number.
 */
int user_parse(const char *text, uid_t *ret_uid, gid_t *ret_gid);
