/* SPDX-License-Identifier: MIT */
/* The life of a library that patches name: it comes, and it goes. */
#ifndef UPATCH_RUNTIME_COMING_H
#define UPATCH_RUNTIME_COMING_H

#include <stdbool.h>

/*
 * In dlopen: patches what has come.  If a patch refuses, undoes what earlier
 * ones did to the library, and does not return: dlopen fails.
 */
void coming_accept(void);
/* In dlclose: takes the patches back from what goes. */
void coming_release(void);
/* After dlclose: what could not be told to be going, and is gone. */
void coming_release_late(void);

struct rt_patch;
/*
 * Has a library that the patch names been loaded since the controller looked?
 */
bool coming_was_missed(const struct rt_patch *patch);

#endif
