/* SPDX-License-Identifier: MIT */
/*
 * Its old function calls inside its first five bytes.
 */
#include "one_function.h"

static int new_entry_call(void (*const *inside)(void))
{
	(*inside)();
	return 2;
}

ONE_FUNCTION("entry_call", .old_name = "entry_call",
	     .new_func = new_entry_call);
