/* SPDX-License-Identifier: MIT */
/*
 * All four callbacks.  The first one refuses the patch while the service is
 * busy; the others say when they run.
 */
#include <upatch/patch.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>

static volatile sig_atomic_t *busy;

static const char *new_version(void)
{
	return "1.1";
}

/* Nothing has changed yet.  What is not 0 reaches the operator. */
static int pre_patch(struct upatch_object *obj)
{
	(void)obj;
	if (*busy)
		return -EBUSY;
	puts("pre_patch: about to change");
	return 0;
}

/* Every thread runs the new functions. */
static void post_patch(struct upatch_object *obj)
{
	(void)obj;
	puts("post_patch: changed");
}

/* Every thread still runs the new functions. */
static void pre_unpatch(struct upatch_object *obj)
{
	(void)obj;
	puts("pre_unpatch: about to change back");
}

/* No thread runs the new functions; this code is about to go. */
static void post_unpatch(struct upatch_object *obj)
{
	(void)obj;
	puts("post_unpatch: changed back");
}

static struct upatch_func funcs[] = {
	{ .old_name = "version", .new_func = new_version },
	{ 0 },
};

static struct upatch_symbol symbols[] = {
	{ .name = "busy", .addr = (void **)&busy },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
		.symbols = symbols,
		.callbacks = {
			.pre_patch = pre_patch,
			.post_patch = post_patch,
			.pre_unpatch = pre_unpatch,
			.post_unpatch = post_unpatch,
		},
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "callbacks-fix",
	.objs = objs,
};
UPATCH_PATCH(patch);
