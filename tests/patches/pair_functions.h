/* SPDX-License-Identifier: MIT */
/*
 * The functions of victims/pair_functions.h that belong together, and what
 * declares them.  By macro VERSION, what they return.
 */
#ifndef PATCHES_PAIR_FUNCTIONS_H
#define PATCHES_PAIR_FUNCTIONS_H

#include <upatch/patch.h>

#include <sched.h>

struct versions {
	int outer, first, second;
	void (*pause)(void);
};

/* Called at their old addresses, so that the gates decide. */
static int (*call_first)(void);
static int (*call_second)(void);

static int new_first(void)
{
	return VERSION;
}

static int new_second(void)
{
	sched_yield();
	return VERSION;
}

static void new_outer(struct versions *versions)
{
	versions->outer = VERSION;
	versions->first = call_first();
	versions->pause();
	versions->second = call_second();
}

static struct upatch_func funcs[] = {
	{ .old_name = "outer", .new_func = new_outer },
	{ .old_name = "first", .new_func = new_first },
	{ .old_name = "second", .new_func = new_second },
	{ 0 },
};

static struct upatch_symbol symbols[] = {
	{ .name = "first", .addr = (void **)&call_first },
	{ .name = "second", .addr = (void **)&call_second },
	{ 0 },
};

#endif
