/* SPDX-License-Identifier: MIT */
/*
 * work() adds 2: for workers, churn, threads_born and idle.  By macro: IMMEDIATE,
 * at once; REPLACE, in a patch that replaces all earlier ones.
 */
#include <upatch/patch.h>

static int new_work(int x)
{
	return x + 2;
}

static struct upatch_func funcs[] = {
	{ .old_name = "work", .new_func = new_work },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = NAME,
	.objs = objs,
#if defined(IMMEDIATE)
	.immediate = true,
#endif
#if defined(REPLACE)
	.replace = true,
#endif
};
UPATCH_PATCH(patch);
