/* SPDX-License-Identifier: MIT */
/*
 * Its old function can be interrupted inside its first five bytes.
 */
#include "one_function.h"

static int new_entry_fault(const int *address)
{
	return *address + 2;
}

ONE_FUNCTION("entry_fault", .old_name = "entry_fault",
	     .new_func = new_entry_fault);
