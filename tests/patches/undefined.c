/* SPDX-License-Identifier: MIT */
/*
 * Needs a function that nobody has.
 */
#include "one_function.h"

int upatch_test_nobody_has_this(int x);

static int new_work(int x)
{
	return upatch_test_nobody_has_this(x);
}

ONE_FUNCTION("undefined", .old_name = "work", .new_func = new_work);
