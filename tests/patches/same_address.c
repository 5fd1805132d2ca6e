/* SPDX-License-Identifier: MIT */
/*
 * Two entries mean one function.
 */
#include <upatch/patch.h>

static int new_work(int x)
{
	return x + 2;
}

static struct upatch_func funcs[] = {
	{ .old_name = "work", .new_func = new_work },
	{ .old_name = "work", .new_func = new_work, .old_sympos = 1 },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "same_address",
	.objs = objs,
};
UPATCH_PATCH(patch);
