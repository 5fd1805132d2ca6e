/* SPDX-License-Identifier: MIT */
/*
 * For another build of the program.
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
		.build_id = "0123456789abcdef0123456789abcdef01234567",
		.funcs = funcs,
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "wrong_build_id",
	.objs = objs,
};
UPATCH_PATCH(patch);
