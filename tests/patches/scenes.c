/* SPDX-License-Identifier: MIT */
/*
 * For the victim `scenes`.  Variants, by macro: NAME; REPLACE; VALUE, OTHER,
 * GUARDED, A, B: what the functions return, each replaced if it is given;
 * OBJECT_A, OBJECT_B: the names of the libraries; MISSING_B: one more function,
 * which libtarget_b.so lacks.
 */
#include <upatch/patch.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef OBJECT_A
#define OBJECT_A "libtarget_a.so"
#endif
#ifndef OBJECT_B
#define OBJECT_B "libtarget_b.so"
#endif

#if defined(GUARDED) || defined(A) || defined(B)
/* In the patch, so that a thread sits in its code. */
static inline __attribute__((always_inline)) int sit(int wait_fd, int result)
{
	char byte = 0;

	if (wait_fd >= 0 &&
	    (write(wait_fd, &byte, 1) != 1 || read(wait_fd, &byte, 1) != 1))
		return -1;
	return result;
}
#endif

#if defined(VALUE)
static int new_value(void)
{
	return VALUE;
}
#endif

#if defined(OTHER)
static int new_other(void)
{
	return OTHER;
}
#endif

#if defined(GUARDED)
static int new_guarded(int wait_fd)
{
	return sit(wait_fd, GUARDED);
}
#endif

static struct upatch_func main_funcs[] = {
#if defined(VALUE)
	{ .old_name = "main_value", .new_func = new_value },
#endif
#if defined(OTHER)
	{ .old_name = "main_other", .new_func = new_other },
#endif
#if defined(GUARDED)
	{ .old_name = "main_guarded", .new_func = new_guarded },
#endif
	{ 0 },
};

#if defined(A)
static int new_a(int wait_fd)
{
	return sit(wait_fd, A);
}

static struct upatch_func a_funcs[] = {
	{ .old_name = "target_a", .new_func = new_a },
	{ 0 },
};
#endif

#if defined(B)
static int new_b(int wait_fd)
{
	return sit(wait_fd, B);
}

static struct upatch_func b_funcs[] = {
	{ .old_name = "target_b", .new_func = new_b },
#if defined(MISSING_B)
	{ .old_name = "target_missing", .new_func = new_b },
#endif
	{ 0 },
};
#endif

static void say(const char *callback, const struct upatch_object *obj)
{
	static const char *const phases[] = { "live", "coming", "going" };

	dprintf(STDOUT_FILENO, "%s %s %s %s\n", NAME, callback,
		obj->name != NULL ? obj->name : "main",
		phases[upatch_object_phase(obj)]);
}

static int pre_patch(struct upatch_object *obj)
{
	say("pre_patch", obj);
	return 0;
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
	{ .funcs = main_funcs, .callbacks = CALLBACKS },
#if defined(A)
	{ .name = OBJECT_A, .funcs = a_funcs, .callbacks = CALLBACKS },
#endif
#if defined(B)
	{ .name = OBJECT_B, .funcs = b_funcs, .callbacks = CALLBACKS },
#endif
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = NAME,
	.objs = objs,
#if defined(REPLACE)
	.replace = true,
#endif
};
UPATCH_PATCH(patch);
