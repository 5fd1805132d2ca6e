/* SPDX-License-Identifier: MIT */
/*
 * The second of two functions with one name.
 */
#include "one_function.h"

static int new_twin(int x)
{
	return x + 100;
}

ONE_FUNCTION("twin_2", .old_name = "twin", .new_func = new_twin,
	     .old_sympos = 2);
