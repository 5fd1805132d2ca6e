/* SPDX-License-Identifier: MIT */
/*
 * Another patch with the name "work".
 */
#include "one_function.h"

static int new_work(int x)
{
	return x + 5;
}

ONE_FUNCTION("work", .old_name = "work", .new_func = new_work);
