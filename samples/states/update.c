/* SPDX-License-Identifier: MIT */
/*
 * A cumulative patch, built once per release: -DRELEASE=1 allows 8 jobs,
 * -DRELEASE=2 allows 16.  Each supersedes whatever is applied, and any of them
 * can be reverted to the program as it was.
 */
#include <upatch/patch.h>

#include <errno.h>
#include <stdlib.h>

/* What a release has done to the limit; `data` is the limit from before. */
enum {
	STATE_JOB_LIMIT = 1
};

static volatile int *job_limit;
static struct upatch_patch patch;

static const char *new_version(void)
{
	return RELEASE == 1 ? "1.1" : "1.2";
}

/*
 * Only here can memory be refused.  The heap, not a variable of the patch:
 * this must outlive the patch that comes first.
 */
static int make_room(struct upatch_object *obj)
{
	struct upatch_state *own = upatch_get_state(&patch, STATE_JOB_LIMIT);

	(void)obj;
	if (upatch_get_prev_state(STATE_JOB_LIMIT))
		return 0;
	own->data = malloc(sizeof(int));
	return own->data ? 0 : -ENOMEM;
}

/* The patch before runs no callback any more; what it would undo is ours. */
static void raise_limit(struct upatch_object *obj)
{
	struct upatch_state *own = upatch_get_state(&patch, STATE_JOB_LIMIT);
	struct upatch_state *previous = upatch_get_prev_state(STATE_JOB_LIMIT);

	(void)obj;
	if (previous)
		own->data = previous->data;
	else
		*(int *)own->data = *job_limit;
	*job_limit = RELEASE == 1 ? 8 : 16;
}

static void restore_limit(struct upatch_object *obj)
{
	const struct upatch_state *own =
		upatch_get_state(&patch, STATE_JOB_LIMIT);

	(void)obj;
	*job_limit = *(int *)own->data;
}

/* Turned around before raise_limit, it has taken over nothing: NULL. */
static void drop_room(struct upatch_object *obj)
{
	struct upatch_state *own = upatch_get_state(&patch, STATE_JOB_LIMIT);

	(void)obj;
	free(own->data);
	own->data = NULL;
}

static struct upatch_func funcs[] = {
	{ .old_name = "version", .new_func = new_version },
	{ 0 },
};

static struct upatch_symbol symbols[] = {
	{ .name = "job_limit", .addr = (void **)&job_limit },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
		.symbols = symbols,
		.callbacks = {
			.pre_patch = make_room,
			.post_patch = raise_limit,
			.pre_unpatch = restore_limit,
			.post_unpatch = drop_room,
		},
	},
	UPATCH_OBJECT_END,
};

static struct upatch_state states[] = {
	{ .id = STATE_JOB_LIMIT, .version = RELEASE },
	{ 0 },
};

static struct upatch_patch patch = {
	.name = RELEASE == 1 ? "release-1" : "release-2",
	.objs = objs,
	.states = states,
	.replace = true,
};
UPATCH_PATCH(patch);
