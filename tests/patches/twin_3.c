/* SPDX-License-Identifier: MIT */
/*
 * There is no third function with this name.
 */
#include "one_function.h"

static int new_twin(int x)
{
	return x + 2;
}

ONE_FUNCTION("twin_3", .old_name = "twin", .new_func = new_twin,
	     .old_sympos = 3);
