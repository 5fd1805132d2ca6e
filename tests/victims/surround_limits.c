/* SPDX-License-Identifier: MIT */
/*
 * Surroundings: resources that are used up, and what a process gives up.
 */
#include "surroundings.h"
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define MDWE_REFUSE_EXEC_GAIN 1
#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif

static void set_limit(__rlimit_resource_t resource, rlim_t value)
{
	const struct rlimit limit = { value, value };

	if (setrlimit(resource, &limit) != 0)
		victim_die("setrlimit");
}

/* `arg` more kilobytes than what is mapped. */
static void limit_address_space(const char *arg)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (file == NULL || fscanf(file, "%lu", &pages) != 1)
		victim_die("statm");
	fclose(file);
	set_limit(RLIMIT_AS, pages * 4096 + strtoul(arg, NULL, 10) * 1024);
}

/* `arg` descriptors are left. */
static void limit_descriptors(const char *arg)
{
	int left = (int)strtol(arg, NULL, 10);
	int fd = 0;

	/* Some may have been inherited, with gaps. */
	for (; left > 0 || fcntl(fd, F_GETFD) >= 0; fd++)
		left -= fcntl(fd, F_GETFD) < 0;
	set_limit(RLIMIT_NOFILE, (rlim_t)fd);
}

/* An ordinary user's limit, reached; root has none. */
static void limit_processes(const char *arg)
{
	(void)arg;
	set_limit(RLIMIT_NPROC, 1);
	if (setresgid(54321, 54321, 54321) || setresuid(54321, 54321, 54321))
		victim_die("setresuid");
}

static void limit_stack(const char *arg)
{
	set_limit(RLIMIT_STACK, strcmp(arg, "unlimited") == 0
					? RLIM_INFINITY
					: strtoul(arg, NULL, 10) * 1024);
}

static void limit_file_size(const char *arg)
{
	set_limit(RLIMIT_FSIZE, strtoul(arg, NULL, 10) * 1024);
}

/* `arg` kilobytes; root ignores the limit. */
static void limit_locked_memory(const char *arg)
{
	set_limit(RLIMIT_MEMLOCK, strtoul(arg, NULL, 10) * 1024);
	if (setresgid(54321, 54321, 54321) || setresuid(54321, 54321, 54321))
		victim_die("setresuid");
	prctl(PR_SET_DUMPABLE, 1);
	if (mlockall(MCL_FUTURE))
		victim_die("mlockall");
}

static void refuse_new_privileges(const char *arg)
{
	(void)arg;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		victim_die("no_new_privs");
}

static void become_undumpable(const char *arg)
{
	if (strcmp(arg, "user") == 0 &&
	    (setresgid(54321, 54321, 54321) || setresuid(54321, 54321, 54321)))
		victim_die("setresuid");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		victim_die("dumpable");
}

static void deny_write_execute(const char *arg)
{
	(void)arg;
	if (prctl(PR_SET_MDWE, MDWE_REFUSE_EXEC_GAIN, 0, 0, 0))
		surroundings_lack("PR_SET_MDWE");
}

/* A group of a cgroup file system; its name is `arg`. */
static void join_group(const char *arg)
{
	int fd = open(arg, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "0", 1) != 1)
		victim_die(arg);
	close(fd);
}

const struct surrounding surround_limits[] = {
	{ "address_space", limit_address_space },
	{ "descriptors", limit_descriptors },
	{ "processes", limit_processes },
	{ "stack_limit", limit_stack },
	{ "file_size", limit_file_size },
	{ "locked_memory", limit_locked_memory },
	{ "no_new_privs", refuse_new_privileges },
	{ "undumpable", become_undumpable },
	{ "mdwe", deny_write_execute },
	{ "group", join_group },
	{ 0 },
};
