/* SPDX-License-Identifier: MIT */
/* The folders and symbolic links through which a path leads to its file. */
#include "trail.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

/* MAXSYMLINKS of the kernel, include/linux/namei.h */
#define LINKS_MAX 40
/* PROC_ROOT_INO of the kernel, include/linux/proc_ns.h */
#define PROC_ROOT_INODE 1

/* How far it has come: fd and name are the same folder. */
struct walk {
	struct trail *trail;
	int fd;
	struct stat folder;
	char name[2 * PATH_MAX];
	char rest[2 * PATH_MAX];
	unsigned int links;
	bool has_arrived;
};

static int fail(const struct walk *walk, int saved_errno,
		struct upatch_error *err)
{
	return error_set(err, UPATCH_ERROR_BAD_PATCH, saved_errno,
			 "cannot follow its path beyond '%s/'", walk->name);
}

static int add(struct walk *walk, const char *kind, const char *path,
	       const struct stat *stat, struct upatch_error *err)
{
	struct trail *trail = walk->trail;
	struct trail_entry *entries =
		reallocarray(trail->entries, trail->count + 1,
			     sizeof(*entries));
	char *copy = strdup(path[0] ? path : "/");

	if (entries)
		trail->entries = entries;
	if (!entries || !copy) {
		free(copy);
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "no memory to look at its folders");
	}
	entries[trail->count++] = (struct trail_entry){
		.kind = kind,
		.path = copy,
		.stat = *stat,
	};
	return 0;
}

static bool is_in_proc(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* Takes over fd.  Our own folders in /proc are ours, whoever we are. */
static int enter(struct walk *walk, int fd, const struct stat *stat,
		 struct upatch_error *err)
{
	if (walk->fd >= 0)
		close(walk->fd);
	walk->fd = fd;
	walk->folder = *stat;
	if (stat->st_uid == geteuid() && is_in_proc(fd))
		return 0;
	return add(walk, "folder", walk->name, stat, err);
}

static int enter_by_name(struct walk *walk, const char *name,
			 struct upatch_error *err)
{
	int fd = openat(walk->fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat stat;
	int saved_errno;

	if (fd >= 0 && fstat(fd, &stat) == 0)
		return enter(walk, fd, &stat, err);
	saved_errno = errno;
	if (fd >= 0)
		close(fd);
	return fail(walk, saved_errno, err);
}

static int enter_root(struct walk *walk, struct upatch_error *err)
{
	walk->name[0] = '\0';
	return enter_by_name(walk, "/", err);
}

/* One that was removed has no name. */
static int enter_current(struct walk *walk, struct upatch_error *err)
{
	close(walk->fd);
	walk->fd = AT_FDCWD;
	strcpy(walk->name, ".");
	return enter_by_name(walk, ".", err);
}

static int enter_parent(struct walk *walk, struct upatch_error *err)
{
	char *slash = strrchr(walk->name, '/');

	if (slash)
		*slash = '\0';
	return enter_by_name(walk, "..", err);
}

/* fd is the link; what it says comes before the rest of the path. */
static int follow(struct walk *walk, int fd, const char *path,
		  const struct stat *stat, struct upatch_error *err)
{
	char rest[sizeof(walk->rest)], target[PATH_MAX];
	ssize_t len = readlinkat(fd, "", target, sizeof(target) - 1);
	int ret = 0;

	if (len < 0)
		return fail(walk, errno, err);
	target[len] = '\0';
	if (++walk->links > LINKS_MAX)
		return fail(walk, ELOOP, err);
	if (walk->folder.st_mode & S_ISVTX)
		ret = add(walk, "link", path, stat, err);
	if (ret)
		return ret;
	strcpy(rest, walk->rest);
	if ((size_t)snprintf(walk->rest, sizeof(walk->rest), "%s/%s", target,
			     rest) >= sizeof(walk->rest))
		return fail(walk, ENAMETOOLONG, err);
	return target[0] == '/' ? enter_root(walk, err) : 0;
}

static bool take_component(struct walk *walk, char component[NAME_MAX + 1])
{
	const char *start = walk->rest + strspn(walk->rest, "/");
	size_t len = strcspn(start, "/");

	/* No longer name was opened. */
	if (len == 0 || len > NAME_MAX)
		return false;
	memcpy(component, start, len);
	component[len] = '\0';
	memmove(walk->rest, start + len, strlen(start + len) + 1);
	return true;
}

/*
 * In /proc the links of processes lead to what these hold, whatever they say;
 * only those in its root, such as self, are read as a path.
 */
static int open_component(const struct walk *walk, const char *component,
			  struct stat *ret_stat)
{
	const bool is_held =
		is_in_proc(walk->fd) && walk->folder.st_ino != PROC_ROOT_INODE;
	int fd = openat(walk->fd, component,
			O_PATH | O_CLOEXEC | (is_held ? 0 : O_NOFOLLOW));

	if (fd >= 0 && fstat(fd, ret_stat)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int step(struct walk *walk, const char *component,
		const struct stat *file, struct upatch_error *err)
{
	char path[sizeof(walk->name) + NAME_MAX + 2];
	struct stat stat;
	int fd = open_component(walk, component, &stat);
	int ret = 0;

	if (fd < 0)
		return fail(walk, errno, err);
	snprintf(path, sizeof(path), "%s/%s", walk->name, component);
	if (S_ISDIR(stat.st_mode)) {
		if (strlen(path) >= sizeof(walk->name)) {
			close(fd);
			return fail(walk, ENAMETOOLONG, err);
		}
		strcpy(walk->name, path);
		return enter(walk, fd, &stat, err);
	}
	if (S_ISLNK(stat.st_mode))
		ret = follow(walk, fd, path, &stat, err);
	else
		walk->has_arrived = stat.st_dev == file->st_dev &&
				    stat.st_ino == file->st_ino;
	close(fd);
	return ret;
}

static int walk_path(struct walk *walk, const char *path,
		     const struct stat *file, struct upatch_error *err)
{
	char component[NAME_MAX + 1];
	int ret = enter_root(walk, err);

	if (!ret && path[0] != '/' && getcwd(walk->rest, PATH_MAX))
		strcat(walk->rest, "/");
	else if (!ret && path[0] != '/')
		ret = enter_current(walk, err);
	strncat(walk->rest, path, PATH_MAX - 1);
	while (!ret && take_component(walk, component)) {
		if (strcmp(component, ".") == 0)
			continue;
		if (strcmp(component, "..") == 0)
			ret = enter_parent(walk, err);
		else
			ret = step(walk, component, file, err);
	}
	if (!ret && !walk->has_arrived)
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0,
				 "another file was put in its place");
	return ret;
}

int trail_read(const char *path, const struct stat *file,
	       struct trail *ret_trail, struct upatch_error *err)
{
	struct walk *walk = calloc(1, sizeof(*walk));
	int ret;

	*ret_trail = (struct trail){ 0 };
	if (!walk)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "no memory to look at its folders");
	walk->trail = ret_trail;
	walk->fd = -1;
	ret = walk_path(walk, path, file, err);
	if (walk->fd >= 0)
		close(walk->fd);
	free(walk);
	return ret;
}

void trail_free(struct trail *trail)
{
	for (size_t i = 0; i < trail->count; i++)
		free(trail->entries[i].path);
	free(trail->entries);
	*trail = (struct trail){ 0 };
}
