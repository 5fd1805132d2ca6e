/* SPDX-License-Identifier: MIT */
/*
 * Stops threads, a few at a time, while the others run; but those that compute
 * are held until all have stopped.
 */
#ifndef UPATCH_ROUND_H
#define UPATCH_ROUND_H

#include "tracer.h"

struct round {
	struct tracer *tracer;
	/* the running threads to be stopped */
	bool (*wants)(const struct thread *thread, void *user);
	/* called for whatever stops or ends, also of itself */
	void (*serve)(struct thread *thread, void *user);
	void *user;
};

/* Each thread that is wanted once; one that does not stop is left out. */
void round_run(const struct round *round);
/* Threads that stop by themselves, newborn ones above all. */
void round_serve(const struct round *round, uint64_t until_ns);

#endif
