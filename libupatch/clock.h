/* SPDX-License-Identifier: MIT */
/* The clock of all deadlines and time-outs, CLOCK_MONOTONIC. */
#ifndef UPATCH_CLOCK_H
#define UPATCH_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#endif
