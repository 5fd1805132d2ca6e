/* SPDX-License-Identifier: MIT */
/*
 * subject() and spinner() of the victim `stacks`.
 */
#include <upatch/patch.h>

#include <stdatomic.h>

static int new_subject(void (*inside)(void))
{
	inside();
	return 2;
}

static int new_spinner(atomic_int *stop)
{
	while (!*stop)
		;
	return 2;
}

static struct upatch_func funcs[] = {
	{ .old_name = "subject", .new_func = new_subject },
	{ .old_name = "spinner", .new_func = new_spinner },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "stacks",
	.objs = objs,
};
UPATCH_PATCH(patch);
