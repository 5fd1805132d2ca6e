/* SPDX-License-Identifier: MIT */
/*
 * Paths from the environment or the build.
 */
#include "paths.h"

#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static const char *setting(const char *variable, const char *preset)
{
	const char *value = getenv(variable);

	return value != NULL ? value : preset;
}

static const char *join(const char *dir, const char *name, const char *suffix)
{
	char *path;

	if (asprintf(&path, "%s/%s%s", dir, name, suffix) < 0)
		cr_fatal("out of memory");
	return path;
}

const char *path_of_upatchctl(void)
{
	return setting("UPATCHCTL", BUILT_UPATCHCTL);
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
