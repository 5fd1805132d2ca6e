/* SPDX-License-Identifier: MIT */
/*
 * Deadlines on the monotonic clock.
 */
#include "deadline.h"

#include <poll.h>
#include <time.h>

#define POLL_INTERVAL_MS 2

int64_t deadline_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int deadline_left_ms(int64_t deadline_ms)
{
	int64_t left = deadline_ms - deadline_now_ms();

	return left > 0 ? (int)left : 0;
}

bool wait_until(bool (*condition)(void *arg), void *arg, int limit_ms)
{
	int64_t deadline_ms = deadline_now_ms() + limit_ms;

	for (;;) {
		if (condition(arg))
			return true;
		if (deadline_left_ms(deadline_ms) == 0)
			return false;
		poll(NULL, 0, POLL_INTERVAL_MS);
	}
}
