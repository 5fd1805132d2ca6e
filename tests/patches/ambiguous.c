/* SPDX-License-Identifier: MIT */
/*
 * Two functions have this name.
 */
#include "one_function.h"

static int new_twin(int x)
{
	return x + 2;
}

ONE_FUNCTION("ambiguous", .old_name = "twin", .new_func = new_twin);
