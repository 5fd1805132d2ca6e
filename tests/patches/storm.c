/* SPDX-License-Identifier: MIT */
/* For the victim `churn`: its functions, and one of the library it churns. */
#include <upatch/patch.h>

static int new_work(int x)
{
	return x + 2;
}

static int new_held(void)
{
	return 2;
}

static int new_a(int wait_fd)
{
	(void)wait_fd;
	return 2;
}

static struct upatch_func funcs[] = {
	{ .old_name = "work", .new_func = new_work },
	{ .old_name = "held", .new_func = new_held },
	{ 0 },
};

static struct upatch_func library_funcs[] = {
	{ .old_name = "target_a", .new_func = new_a },
	{ 0 },
};

static struct upatch_object objs[] = {
	{ .funcs = funcs },
	{ .name = "libtarget_a.so", .funcs = library_funcs },
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "storm",
	.objs = objs,
};
UPATCH_PATCH(patch);
