/* SPDX-License-Identifier: MIT */
/*
 * The new function sets up what begins from now on.  What is there was set up
 * by the old one, and post_patch repairs it: by then no thread is in the old
 * function, so nothing is added behind its back.
 */
#include <upatch/patch.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define DAY_S (24 * 60 * 60)

/* As in the program. */
struct call {
	struct call *next;
	int limit_s;
};

static pthread_mutex_t *calls_lock;
static struct call **calls;

static void new_begin_call(void)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call)
		return;
	call->limit_s = DAY_S;
	pthread_mutex_lock(calls_lock);
	call->next = *calls;
	*calls = call;
	pthread_mutex_unlock(calls_lock);
}

/* Callbacks hold no lock, so they can take the program's. */
static void repair_calls(struct upatch_object *obj)
{
	unsigned int count = 0;

	(void)obj;
	pthread_mutex_lock(calls_lock);
	for (struct call *call = *calls; call; call = call->next) {
		if (call->limit_s)
			continue;
		call->limit_s = DAY_S;
		count++;
	}
	pthread_mutex_unlock(calls_lock);
	printf("repaired %u calls\n", count);
}

static struct upatch_func funcs[] = {
	{ .old_name = "begin_call", .new_func = new_begin_call },
	{ 0 },
};

static struct upatch_symbol symbols[] = {
	{ .name = "calls_lock", .addr = (void **)&calls_lock },
	{ .name = "calls", .addr = (void **)&calls },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
		.symbols = symbols,
		.callbacks = { .post_patch = repair_calls },
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "limit-calls",
	.description = "cuts calls off after a day",
	.objs = objs,
};
UPATCH_PATCH(patch);
