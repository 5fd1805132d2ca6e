/* SPDX-License-Identifier: MIT */
/*
 * The places in a run of upatchctl at which a test does something: its system
 * calls, each twice, entry and return.
 */
#ifndef SUPPORT_PLACES_H
#define SUPPORT_PLACES_H

#include "upatchctl.h"

/* Every `every`-th from `at` on, which is another one in each run. */
struct places {
	unsigned int at, every;
};

/* UPATCH_KILL_EVERY=1 is the long run, all of them; else `preset`. */
void places_begin(struct places *places, unsigned int preset);
void places_next(struct places *places);

/*
 * Runs upatchctl under kill_at with these options.  *ret_count: the number of
 * stops that there were, 0 if it was killed.
 */
struct run places_run(const struct places *places, const char *const options[],
		      const char *const args[], unsigned int *ret_count);

#endif
