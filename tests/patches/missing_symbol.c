/* SPDX-License-Identifier: MIT */
/*
 * Names a function that is not there, but nearly.
 */
#include "one_function.h"

static int new_work(int x)
{
	return x + 2;
}

ONE_FUNCTION("missing_symbol", .old_name = "wrok", .new_func = new_work);
