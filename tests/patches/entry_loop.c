/* SPDX-License-Identifier: MIT */
/*
 * Its old function runs for a second inside its first five bytes.
 */
#include "one_function.h"

static int new_entry_loop(void)
{
	return 2;
}

ONE_FUNCTION("entry_loop", .old_name = "entry_loop",
	     .new_func = new_entry_loop);
