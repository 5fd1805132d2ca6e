/* SPDX-License-Identifier: MIT */
/*
 * Waiting in tests: always for a condition, always with a limit.
 */
#ifndef SUPPORT_DEADLINE_H
#define SUPPORT_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

/* For everything that takes no time on an idle machine. */
#define DEADLINE_MS 30000

/* CLOCK_MONOTONIC, in milliseconds. */
int64_t deadline_now_ms(void);
/* What is left until `deadline_ms` on that clock, for poll(2); not below 0. */
int deadline_left_ms(int64_t deadline_ms);

/* Asks again and again; false when `limit_ms` went by without a yes. */
bool wait_until(bool (*condition)(void *arg), void *arg, int limit_ms);

#endif
