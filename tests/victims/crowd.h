/* SPDX-License-Identifier: MIT */
/* What tests/patches/crowd.c writes in the victim `crowd`. */
#ifndef VICTIMS_CROWD_H
#define VICTIMS_CROWD_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#define CALL_NS 1000000l

struct crowd_priority {
	int policy, nice;
};

struct crowd_words {
	/* calls of the new function that began, of the old one that ended */
	atomic_ulong new_count, old_count;
	/* how many new ones had begun when the last old one ended */
	atomic_ulong new_before_old;
	/* in a callback for a library that comes */
	long longest_gap_ns;
	/* the agent's in pre_patch, and of what it creates there */
	struct crowd_priority agent, thread, process;
};

static inline long crowd_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000l + now.tv_nsec;
}

/* No system call: as long as it lasts, the thread wants a processor. */
static inline void crowd_compute(long ns)
{
	long end = crowd_now_ns() + ns;

	while (crowd_now_ns() < end)
		;
}

#endif
