/* SPDX-License-Identifier: MIT */
/*
 * Adds 100 to what ran before it.
 */
#include "one_function.h"

static int (*previous)(int x);

static int new_work(int x)
{
	return previous(x) + 100;
}

ONE_FUNCTION("chain_1", .old_name = "work", .new_func = new_work,
	     .orig_func = (void **)&previous);
