/* SPDX-License-Identifier: MIT */
/*
 * A patch without functions: it changes a variable and puts it back.  Where
 * new functions depend on the value, post_patch is the place, as by then no
 * thread runs an old one; and pre_unpatch for the way back.
 */
#include <upatch/patch.h>

static volatile int *queue_limit;
static int old_limit;

static void raise_limit(struct upatch_object *obj)
{
	(void)obj;
	old_limit = *queue_limit;
	*queue_limit = 5000;
}

static void restore_limit(struct upatch_object *obj)
{
	(void)obj;
	*queue_limit = old_limit;
}

static struct upatch_symbol symbols[] = {
	{ .name = "queue_limit", .addr = (void **)&queue_limit },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.symbols = symbols,
		.callbacks = {
			.post_patch = raise_limit,
			.pre_unpatch = restore_limit,
		},
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "raise-limit",
	.description = "queue limit 5000",
	.objs = objs,
};
UPATCH_PATCH(patch);
