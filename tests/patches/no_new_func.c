/* SPDX-License-Identifier: MIT */
/*
 * An entry without a replacement.
 */
#include <upatch/patch.h>

static struct upatch_func funcs[] = {
	{ .old_name = "work" },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "no_new_func",
	.objs = objs,
};
UPATCH_PATCH(patch);
