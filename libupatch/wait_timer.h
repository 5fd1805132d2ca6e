/* SPDX-License-Identifier: MIT */
/* Ends a blocking system call of the thread that made the timer, in time. */
#ifndef UPATCH_WAIT_TIMER_H
#define UPATCH_WAIT_TIMER_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct wait_timer {
	timer_t timer;
	bool is_there; /* without it a caller has to look again and again */
};

/* The calling thread has every signal blocked, and will not unblock any. */
void wait_timer_init(struct wait_timer *timer);
void wait_timer_fini(struct wait_timer *timer);

/*
 * From `deadline_ns` (CLOCK_MONOTONIC) on, blocking calls of the thread end
 * with EINTR, also one that begins only after it; until wait_timer_stop.
 */
void wait_timer_start(const struct wait_timer *timer, uint64_t deadline_ns);
void wait_timer_stop(const struct wait_timer *timer);

#endif
