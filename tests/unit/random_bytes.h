/* SPDX-License-Identifier: MIT */
/* Repeatable random numbers for tests that throw garbage at a parser. */
#ifndef TEST_RANDOM_BYTES_H
#define TEST_RANDOM_BYTES_H

#include <stdint.h>
#include <stdlib.h>

/* Marsaglia's xorshift64; *state is not 0. */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* How many tries: more than in a usual run if the environment asks for it. */
static inline unsigned long random_try_count(void)
{
	const char *wanted = getenv("UPATCH_TEST_RANDOM_COUNT");

	return wanted ? strtoul(wanted, NULL, 10) : 20000;
}

#endif
