/* SPDX-License-Identifier: MIT */
/*
 * The loader tells when a library comes or goes: two of its functions are
 * sites of ours, whose gates lead to the hooks.
 */
#ifndef UPATCH_RUNTIME_HOOKS_H
#define UPATCH_RUNTIME_HOOKS_H

#include <link.h>

#include "runtime.h"

/* Where a loader function's gate leads while libraries are waited for. */
rt_addr_t hooks_entry(enum rt_hook hook);
void hooks_set_original(enum rt_hook hook, rt_addr_t original);
/* What the hooks need of the loader. */
void hooks_set_loader(rt_addr_t r_debug, rt_addr_t signal_error);

/* The first library in the program's namespace that `name` fits, or NULL. */
struct link_map *hooks_find_map(const char *name);
/* Is it in the program's namespace? */
bool hooks_has_map(const struct link_map *wanted);
/*
 * Makes the dlopen that is under way fail: dlerror() says "NAME: TEXT: errno".
 * Does not return.
 */
_Noreturn void hooks_refuse(const char *name, int error, const char *text);

#endif
