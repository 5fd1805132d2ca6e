/* SPDX-License-Identifier: MIT */
/*
 * No function at all, no callback: only a name in the list.
 */
#include <upatch/patch.h>

static struct upatch_object objs[] = {
	{},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "nothing",
	.objs = objs,
};
UPATCH_PATCH(patch);
