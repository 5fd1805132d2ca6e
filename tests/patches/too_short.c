/* SPDX-License-Identifier: MIT */
/*
 * The function is shorter than a jump.
 */
#include "one_function.h"

static int new_tiny(void)
{
	return 2;
}

ONE_FUNCTION("too_short", .old_name = "tiny", .new_func = new_tiny);
