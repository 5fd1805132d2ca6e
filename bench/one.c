/* SPDX-License-Identifier: MIT */
/* The one-function patch of nearly all figures. */
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
	{ .funcs = funcs },
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "one",
	.objs = objs,
};
UPATCH_PATCH(patch);
