/* SPDX-License-Identifier: MIT */
/*
 * The smallest patch: one function of the main program.
 */
#include <upatch/patch.h>

static const char *fixed_greeting(void)
{
	return "Hello, world";
}

static struct upatch_func funcs[] = {
	{ .old_name = "greeting", .new_func = fixed_greeting },
	{ 0 },
};

static struct upatch_object objs[] = {
	{ .funcs = funcs },
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "hello-fix",
	.description = "greet the world",
	.objs = objs,
};
UPATCH_PATCH(patch);
