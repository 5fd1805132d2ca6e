/* SPDX-License-Identifier: MIT */
/*
 * work() adds 2 as by work.c, in a patch that replaces all earlier ones.
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
	.name = "work_replace",
	.objs = objs,
	.replace = true,
};
UPATCH_PATCH(patch);
