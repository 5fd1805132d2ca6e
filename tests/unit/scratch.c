/* SPDX-License-Identifier: MIT */
/* A directory in which a test compiles and takes apart programs. */
#include "scratch.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "child.h"

#define COMMAND_LIMIT_MS 60000

static char dir[64];

static void remove_dir(void)
{
	const char *const argv[] = { "rm", "-rf", dir, NULL };
	struct child child;

	child_start(&child, argv, CHILD_QUIET);
	child_wait(&child, COMMAND_LIMIT_MS, NULL);
}

const char *scratch_dir(void)
{
	if (dir[0] == '\0') {
		snprintf(dir, sizeof(dir), "/tmp/upatch-test-XXXXXX");
		if (!mkdtemp(dir))
			cr_fatal("cannot make %s: %s", dir, strerror(errno));
		atexit(remove_dir);
	}
	return dir;
}

const char *scratch_path(const char *name)
{
	static char paths[8][256];
	static unsigned int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", scratch_dir(), name);
	return path;
}

void scratch_write(const char *name, const char *text)
{
	FILE *file = fopen(scratch_path(name), "w");

	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		cr_fatal("cannot write %s: %s", name, strerror(errno));
}

void scratch_run(const char *format, ...)
{
	char command[2048];
	const char *const argv[] = { "sh", "-c", command, NULL };
	struct child child;
	int status = -1;
	va_list args;
	int len =
		snprintf(command, sizeof(command), "cd %s && ", scratch_dir());

	va_start(args, format);
	vsnprintf(command + len, sizeof(command) - (size_t)len, format, args);
	va_end(args);
	child_start(&child, argv, 0);
	if (!child_wait(&child, COMMAND_LIMIT_MS, &status) || status != 0)
		cr_fatal("status %d: %s", status, command);
}
