/* SPDX-License-Identifier: MIT */
/*
 * Only plain() of the victim `blocker`.
 */
#include <upatch/patch.h>

static int new_plain(void)
{
	return 3;
}

static struct upatch_func funcs[] = {
	{ .old_name = "plain", .new_func = new_plain },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "plain",
	.objs = objs,
};
UPATCH_PATCH(patch);
