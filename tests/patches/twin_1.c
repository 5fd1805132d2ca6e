/* SPDX-License-Identifier: MIT */
/*
 * The first of two functions with one name.
 */
#include <upatch/patch.h>

static int new_twin(int x)
{
	return x + 100;
}

static struct upatch_func funcs[] = {
	{ .old_name = "twin", .new_func = new_twin, .old_sympos = 1 },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "twin_1",
	.objs = objs,
};
UPATCH_PATCH(patch);
