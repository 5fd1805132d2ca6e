/* SPDX-License-Identifier: MIT */
/* Who can change a file, or put another one in its place. */
#include "writers.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int refuse(const char *kind, const char *path, const char *whom,
		  struct upatch_error *err)
{
	return error_set(err, UPATCH_ERROR_UNTRUSTED, 0,
			 "%s '%s' can be changed by %s", kind, path, whom);
}

static int refuse_user(const char *kind, const char *path, uid_t uid,
		       struct upatch_error *err)
{
	const struct passwd *user = getpwuid(uid);
	char whom[96];

	if (user)
		snprintf(whom, sizeof(whom), "user %u (%s)", uid,
			 user->pw_name);
	else
		snprintf(whom, sizeof(whom), "user %u", uid);
	return refuse(kind, path, whom, err);
}

static int refuse_group(const char *kind, const char *path, gid_t gid,
			struct upatch_error *err)
{
	const struct group *group = getgrgid(gid);
	char whom[96];

	if (group)
		snprintf(whom, sizeof(whom), "group %u (%s)", gid,
			 group->gr_name);
	else
		snprintf(whom, sizeof(whom), "group %u", gid);
	return refuse(kind, path, whom, err);
}

/*
 * Debian gives each user a group of the same name with nobody else in it, so
 * that umask 002 is harmless.
 */
static bool is_group_of(gid_t gid, uid_t uid)
{
	const struct passwd *user = getpwuid(uid);
	const struct group *group = getgrgid(gid);

	return user && group && user->pw_gid == gid &&
	       strcmp(user->pw_name, group->gr_name) == 0 && !group->gr_mem[0];
}

/*
 * An owner can always give himself the right to write.  Where there is an
 * access control list, the group bits are the most that any entry of it
 * allows (acl(5)).
 */
static int check_entry(const char *kind, const char *path,
		       const struct stat *stat, uid_t owner,
		       struct upatch_error *err)
{
	/* In a sticky folder nobody can replace what is not his own. */
	const bool is_sticky =
		S_ISDIR(stat->st_mode) && stat->st_mode & S_ISVTX;

	if (stat->st_uid != 0 && stat->st_uid != owner)
		return refuse_user(kind, path, stat->st_uid, err);
	/* Nobody writes to a symbolic link, whose mode is always 0777. */
	if (is_sticky || S_ISLNK(stat->st_mode))
		return 0;
	if (stat->st_mode & S_IWOTH)
		return refuse(kind, path, "everybody", err);
	if (stat->st_mode & S_IWGRP && stat->st_gid != 0 &&
	    !is_group_of(stat->st_gid, stat->st_uid))
		return refuse_group(kind, path, stat->st_gid, err);
	return 0;
}

int writers_check(const char *path, const struct stat *stat,
		  const struct trail *trail, uid_t owner,
		  struct upatch_error *err)
{
	int ret = check_entry("file", path, stat, owner, err);

	/* The nearest folder first. */
	for (size_t i = trail->count; !ret && i; i--) {
		const struct trail_entry *entry = &trail->entries[i - 1];

		ret = check_entry(entry->kind, entry->path, &entry->stat, owner,
				  err);
	}
	return ret;
}
