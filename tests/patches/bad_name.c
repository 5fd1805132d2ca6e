/* SPDX-License-Identifier: MIT */
/*
 * A name that is no name.
 */
#include "one_function.h"

static int new_work(int x)
{
	return x + 2;
}

ONE_FUNCTION("no name", .old_name = "work", .new_func = new_work);
