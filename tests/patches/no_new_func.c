/* SPDX-License-Identifier: MIT */
/*
 * An entry without a replacement.
 */
#include "one_function.h"

ONE_FUNCTION("no_new_func", .old_name = "work");
