/* SPDX-License-Identifier: MIT */
/*
 * All three functions of the victim `stress`, and its library.  Variants, by
 * macro: NAME; VERSION; REPLACE; PAIR, LIBRARY: what is in it.
 */
#include <upatch/patch.h>

#if defined(PAIR)
#include "pair_functions.h"
#endif

#if defined(LIBRARY)
static int (*previous)(int wait_fd);

static int new_target(int wait_fd)
{
	return previous(wait_fd) + VERSION;
}

static struct upatch_func library_funcs[] = {
	{ .old_name = "target_a",
	  .new_func = new_target,
	  .orig_func = (void **)&previous },
	{ 0 },
};
#endif

static int pre_patch(struct upatch_object *obj)
{
	(void)obj;
	return 0;
}

static void do_nothing(struct upatch_object *obj)
{
	(void)obj;
}

#define CALLBACKS                                                              \
	{                                                                      \
		pre_patch, do_nothing, do_nothing, do_nothing                  \
	}

static struct upatch_object objs[] = {
#if defined(PAIR)
	{ .funcs = funcs, .symbols = symbols, .callbacks = CALLBACKS },
#endif
#if defined(LIBRARY)
	{ .name = "libtarget_a.so",
	  .funcs = library_funcs,
	  .callbacks = CALLBACKS },
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
