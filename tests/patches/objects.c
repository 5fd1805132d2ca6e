/* SPDX-License-Identifier: MIT */
/*
 * The main program and both libraries of the victim `objects`, with all four
 * callbacks.  Variants, by macro: NAME; MAIN, A, B: the objects in it; FAIL_MAIN,
 * FAIL_A, FAIL_B: whose pre_patch refuses; LOADS: pre_patch calls dlopen;
 * MISSING_A: a symbol that libtarget_a.so lacks; ADD: what the functions add to
 * what ran before.
 */
#include <upatch/patch.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(FAIL_MAIN)
#define FAILING ""
#elif defined(FAIL_A)
#define FAILING "libtarget_a.so"
#elif defined(FAIL_B)
#define FAILING "libtarget_b.so"
#else
#define FAILING "nothing"
#endif
#ifndef ADD
#define ADD 1
#endif

#if defined(MAIN)
static int (*previous_value)(void);

static int new_value(void)
{
	return previous_value() + ADD;
}

static int new_other(void)
{
	return 2;
}

static struct upatch_func main_funcs[] = {
	{ .old_name = "main_value",
	  .new_func = new_value,
	  .orig_func = (void **)&previous_value },
	{ .old_name = "main_other", .new_func = new_other },
	{ 0 },
};
#endif

#if defined(A)
static int (*previous_a)(int wait_fd);

static int new_a(int wait_fd)
{
	return previous_a(wait_fd) + ADD;
}

static struct upatch_func a_funcs[] = {
#if defined(MISSING_A)
	{ .old_name = "target_missing", .new_func = new_a },
#endif
	{ .old_name = "target_a",
	  .new_func = new_a,
	  .orig_func = (void **)&previous_a },
	{ 0 },
};
#endif

#if defined(B)
static int (*previous_b)(int wait_fd);

static int new_b(int wait_fd)
{
	return previous_b(wait_fd) + ADD;
}

static struct upatch_func b_funcs[] = {
	{ .old_name = "target_b",
	  .new_func = new_b,
	  .orig_func = (void **)&previous_b },
	{ 0 },
};
#endif

static const char *name_of(const struct upatch_object *obj)
{
	return obj->name != NULL ? obj->name : "";
}

static void say(const char *callback, const struct upatch_object *obj)
{
	static const char *const phases[] = { "live", "coming", "going" };

	if (getenv("TARGET_VERBOSE") != NULL)
		dprintf(STDOUT_FILENO, "%s %s %s\n", callback,
			obj->name != NULL ? obj->name : "main",
			phases[upatch_object_phase(obj)]);
}

static int pre_patch(struct upatch_object *obj)
{
	say("pre_patch", obj);
#if defined(LOADS)
	/* As a look-up of names or characters does. */
	if (!dlopen("libm.so.6", RTLD_NOW))
		return -ENOENT;
#endif
	return strcmp(name_of(obj), FAILING) == 0 ? -ENODEV : 0;
}

static void post_patch(struct upatch_object *obj)
{
	say("post_patch", obj);
}

static void pre_unpatch(struct upatch_object *obj)
{
	say("pre_unpatch", obj);
}

static void post_unpatch(struct upatch_object *obj)
{
	say("post_unpatch", obj);
}

#define CALLBACKS                                                              \
	{                                                                      \
		pre_patch, post_patch, pre_unpatch, post_unpatch               \
	}

static struct upatch_object objs[] = {
#if defined(MAIN)
	{ .funcs = main_funcs, .callbacks = CALLBACKS },
#endif
#if defined(A)
	{ .name = "libtarget_a.so", .funcs = a_funcs, .callbacks = CALLBACKS },
#endif
#if defined(B)
	{ .name = "libtarget_b.so", .funcs = b_funcs, .callbacks = CALLBACKS },
#endif
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = NAME,
	.objs = objs,
};
UPATCH_PATCH(patch);
