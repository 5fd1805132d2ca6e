/* SPDX-License-Identifier: MIT */
/*
 * A cumulative patch of somebody who does not know of the state: it would
 * supersede the release that can undo the limit.
 */
#include <upatch/patch.h>

static const char *new_version(void)
{
	return "0.9";
}

static struct upatch_func funcs[] = {
	{ .old_name = "version", .new_func = new_version },
	{ 0 },
};

static struct upatch_object objs[] = {
	{ .funcs = funcs },
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "stranger",
	.objs = objs,
	.replace = true,
};
UPATCH_PATCH(patch);
