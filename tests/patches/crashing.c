/* SPDX-License-Identifier: MIT */
/*
 * A constructor that ends the process.
 */
#include <upatch/patch.h>

#include <stdlib.h>

static int new_work(int x)
{
	return x + 2;
}

__attribute__((constructor)) static void crash(void)
{
	abort();
}

static struct upatch_func funcs[] = {
	{ .old_name = "work", .new_func = new_work },
	{ 0 },
};

static struct upatch_object objs[] = {
	{ .funcs = funcs },
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "crashing",
	.objs = objs,
};
UPATCH_PATCH(patch);
