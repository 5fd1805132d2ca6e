/* SPDX-License-Identifier: MIT */
/*
 * The function is shorter than a jump.
 */
#include <upatch/patch.h>

static int new_tiny(void)
{
	return 2;
}

static struct upatch_func funcs[] = {
	{ .old_name = "tiny", .new_func = new_tiny },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "too_short",
	.objs = objs,
};
UPATCH_PATCH(patch);
