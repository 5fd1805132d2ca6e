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
	/*
	 * Those that compute and stay held when a round is over, so that the
	 * others get the processors; NULL: none.
	 */
	bool (*keeps)(const struct thread *thread, void *user);
	/* each for how long at most */
	uint64_t keep_ns;
	void *user;
	bool holds; /* threads that were computing */
	uint64_t released_ns;
};

/* Each thread that is wanted once; one that does not stop is left out. */
void round_run(struct round *round);
/* Asks those that are wanted to stop, for round_serve. */
void round_ask(struct round *round);
/* Threads that stop by themselves, newborn ones above all, or were asked. */
void round_serve(struct round *round, uint64_t until_ns);
/* Lets those go that are no longer to be kept, or all of them. */
void round_let_go_late(struct round *round);
void round_let_go(struct round *round);

#endif
