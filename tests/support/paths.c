/* SPDX-License-Identifier: MIT */
/*
 * Paths from the environment or the build.
 */
#include "paths.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define PATH_COUNT 8

static const char *setting(const char *variable, const char *preset)
{
	const char *value = getenv(variable);

	return value != NULL ? value : preset;
}

/* In one of a few buffers that take turns: tests keep no path for long. */
static const char *join(const char *dir, const char *name, const char *suffix)
{
	static char paths[PATH_COUNT][PATH_MAX];
	static unsigned int turn;
	char *path = paths[turn++ % PATH_COUNT];

	snprintf(path, PATH_MAX, "%s/%s%s", dir, name, suffix);
	return path;
}

const char *path_of_upatchctl(void)
{
	return setting("UPATCHCTL", BUILT_UPATCHCTL);
}

const char *path_of_unchecked_upatchctl(void)
{
	return setting("UPATCHCTL_UNCHECKED", BUILT_UNCHECKED);
}

const char *path_of_runtime(void)
{
	return setting("UPATCH_RUNTIME", BUILT_RUNTIME);
}

const char *path_of_kill_at(void)
{
	return setting("UPATCH_KILL_AT", BUILT_KILL_AT);
}

const char *path_of_support(const char *name)
{
	return join(BUILT_SUPPORT, name, "");
}

const char *path_of_victim(const char *name)
{
	return join(setting("UPATCH_VICTIMS", BUILT_VICTIMS), name, "");
}

const char *path_of_patch(const char *name)
{
	return join(setting("UPATCH_PATCHES", BUILT_PATCHES), name, ".so");
}

unsigned int cycle_count(unsigned int preset)
{
	const char *value = getenv("UPATCH_CYCLES");
	unsigned long count = value != NULL ? strtoul(value, NULL, 10) : 0;

	return count != 0 ? (unsigned int)count : preset;
}
