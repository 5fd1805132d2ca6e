/* SPDX-License-Identifier: MIT */
/* Three functions that belong together, old or new. */
#ifndef VICTIMS_PAIR_FUNCTIONS_H
#define VICTIMS_PAIR_FUNCTIONS_H

#include <sched.h>

#include "victim.h"

/* Each function's version, as the call found it. */
struct versions {
	int outer, first, second;
	/* in the middle of outer(), old or new */
	void (*pause)(void);
};

static REPLACED int first(void)
{
	__asm__ volatile("");
	return 1;
}

static REPLACED int second(void)
{
	sched_yield();
	return 1;
}

static REPLACED void outer(struct versions *versions)
{
	versions->outer = 1;
	versions->first = first();
	versions->pause();
	versions->second = second();
}

#endif
