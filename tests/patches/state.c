/* SPDX-License-Identifier: MIT */
/*
 * For the victim `blocker`: system states, handed on from patch to patch.
 * Variants, by macro: NAME; REPLACE; STATE, VERSION: a state, or none;
 * GUARDED, PLAIN: the value of the function, which is replaced if it is given;
 * REFUSE: what pre_patch returns.
 * Each callback tells on stdout what it finds in the previous patch.
 */
#include <upatch/patch.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#if !defined(REFUSE)
#define REFUSE 0
#endif

static struct upatch_patch patch;

#if defined(GUARDED)
static int (*previous_guarded)(int wait);

/* It stays on the stack while the previous one waits: no tail call. */
static int new_guarded(int wait)
{
	int result = wait ? previous_guarded(wait) : GUARDED;

	__asm__ volatile("" : "+r"(result));
	return result;
}
#endif

#if defined(PLAIN)
static int new_plain(void)
{
	return PLAIN;
}
#endif

static struct upatch_func funcs[] = {
#if defined(GUARDED)
	{ .old_name = "guarded",
	  .new_func = new_guarded,
	  .orig_func = (void **)&previous_guarded },
#endif
#if defined(PLAIN)
	{ .old_name = "plain", .new_func = new_plain },
#endif
	{ 0 },
};

#if defined(STATE)
static struct upatch_state states[] = {
	{ .id = STATE, .version = VERSION },
	{ 0 },
};
#else
#define STATE 7
#endif

static void tell(const char *callback)
{
	const struct upatch_state *own = upatch_get_state(&patch, STATE);
	const struct upatch_state *previous = upatch_get_prev_state(STATE);
	const char *text = "-";

	if (previous)
		text = previous->data ? previous->data : "empty";
	dprintf(STDOUT_FILENO, "%s %s own=%d previous=%s\n", NAME, callback,
		own != NULL ? (int)own->version : -1, text);
}

static int pre_patch(struct upatch_object *obj)
{
	(void)obj;
	tell("pre_patch");
	return REFUSE;
}

/* What is handed on names every patch that it went through. */
static void post_patch(struct upatch_object *obj)
{
	static char text[128];
	struct upatch_state *own = upatch_get_state(&patch, STATE);
	const struct upatch_state *previous = upatch_get_prev_state(STATE);

	(void)obj;
	tell("post_patch");
	if (own == NULL)
		return;
	snprintf(text, sizeof(text), "%s>%s",
		 previous != NULL ? (const char *)previous->data : "", NAME);
	own->data = text;
}

static void pre_unpatch(struct upatch_object *obj)
{
	(void)obj;
	tell("pre_unpatch");
}

static void post_unpatch(struct upatch_object *obj)
{
	(void)obj;
	tell("post_unpatch");
}

static struct upatch_object objs[] = {
	{ .funcs = funcs,
	  .callbacks = { pre_patch, post_patch, pre_unpatch, post_unpatch } },
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = NAME,
	.objs = objs,
#if defined(VERSION)
	.states = states,
#endif
#if defined(REPLACE)
	.replace = true,
#endif
};
UPATCH_PATCH(patch);
