/* SPDX-License-Identifier: MIT */
/*
 * A constructor that ends the process.
 */
#include "one_function.h"

#include <stdlib.h>

static int new_work(int x)
{
	return x + 2;
}

__attribute__((constructor)) static void crash(void)
{
	abort();
}

ONE_FUNCTION("crashing", .old_name = "work", .new_func = new_work);
