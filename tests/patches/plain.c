/* SPDX-License-Identifier: MIT */
/*
 * Only plain() of the victim `blocker`.
 */
#include "one_function.h"

static int new_plain(void)
{
	return 3;
}

ONE_FUNCTION("plain", .old_name = "plain", .new_func = new_plain);
