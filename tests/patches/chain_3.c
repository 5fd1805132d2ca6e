/* SPDX-License-Identifier: MIT */
/*
 * Adds 400 to what ran before it.
 */
#include <upatch/patch.h>

static int (*previous)(int x);

static int new_work(int x)
{
	return previous(x) + 400;
}

static struct upatch_func funcs[] = {
	{ .old_name = "work",
	  .new_func = new_work,
	  .orig_func = (void **)&previous },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "chain_3",
	.objs = objs,
};
UPATCH_PATCH(patch);
