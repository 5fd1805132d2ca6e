/* SPDX-License-Identifier: MIT */
/*
 * Adds 200 to what ran before it.
 */
#include "one_function.h"

static int (*previous)(int x);

static int new_work(int x)
{
	return previous(x) + 200;
}

ONE_FUNCTION("chain_2", .old_name = "work", .new_func = new_work,
	     .orig_func = (void **)&previous);
