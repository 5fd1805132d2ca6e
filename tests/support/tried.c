/* SPDX-License-Identifier: MIT */
/* How often a test has tried something, for the table of scripts/torture. */
#include "tried.h"

#include <stdio.h>
#include <stdlib.h>

void tried(unsigned long count, const char *what)
{
	const char *path = getenv("UPATCH_TRIED");
	FILE *file = path ? fopen(path, "ae") : NULL;

	if (!file)
		return;
	fprintf(file, "%lu %s\n", count, what);
	fclose(file);
}
