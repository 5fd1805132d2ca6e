/* SPDX-License-Identifier: MIT */
/*
 * Surroundings: control groups whose limits are reached (cgroups(7)).
 */
#include "surroundings.h"
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROOT	      "/sys/fs/cgroup"
#define REMOVE_TRIES  5000
#define REMOVE_GAP_NS 1000000L

static char group[128];

static bool write_file(const char *name, const char *text)
{
	char path[256];
	bool written;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", group, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return written;
}

static bool has_file(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", group, name);
	return access(path, W_OK) == 0;
}

/* Removes the group when the process that has made it has ended. */
static void start_janitor(void)
{
	const struct timespec gap = { .tv_nsec = REMOVE_GAP_NS };
	int life[2];
	pid_t child;
	char byte;

	if (pipe2(life, O_CLOEXEC))
		victim_die("pipe");
	child = fork();
	if (child < 0)
		victim_die("fork");
	if (child > 0) {
		close(life[0]);
		return;
	}
	for (int fd = 0; fd < life[1] + 1; fd++) {
		if (fd != life[0])
			close(fd);
	}
	(void)!read(life[0], &byte, 1);
	for (int i = 0; rmdir(group) && errno == EBUSY && i < REMOVE_TRIES; i++)
		nanosleep(&gap, NULL);
	_exit(0);
}

/* Below the root of version 1, or of version 2; `file` shows which it is. */
static bool join(const char *controller, const char *old_file,
		 const char *new_file, const char **ret_file)
{
	snprintf(group, sizeof(group), ROOT "/%s/upatch-test-%d", controller,
		 (int)getpid());
	*ret_file = old_file;
	if (mkdir(group, 0755)) {
		snprintf(group, sizeof(group), ROOT "/upatch-test-%d",
			 (int)getpid());
		*ret_file = new_file;
		if (mkdir(group, 0755)) {
			surroundings_lack("a control group of one's own");
			return false;
		}
	}
	start_janitor();
	if (!has_file(*ret_file) || !write_file("cgroup.procs", "0")) {
		surroundings_lack("control groups with limits");
		return false;
	}
	return true;
}

/* Room for `arg` kilobytes; those that it has come from another group. */
static void limit_memory(const char *arg)
{
	const char *file;
	char text[32];

	if (!join("memory", "memory.limit_in_bytes", "memory.max", &file))
		return;
	snprintf(text, sizeof(text), "%lu", strtoul(arg, NULL, 10) * 1024);
	if (!write_file(file, text))
		victim_die(file);
}

static void limit_tasks(const char *arg)
{
	const char *file;

	(void)arg;
	if (join("pids", "pids.max", "pids.max", &file) &&
	    !write_file(file, "1"))
		victim_die(file);
}

const struct surrounding surround_groups[] = {
	{ "group_memory", limit_memory },
	{ "group_tasks", limit_tasks },
	{ 0 },
};
