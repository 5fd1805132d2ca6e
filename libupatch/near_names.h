/* SPDX-License-Identifier: MIT */
/* The names that somebody may have meant. */
#ifndef UPATCH_NEAR_NAMES_H
#define UPATCH_NEAR_NAMES_H

#include <stddef.h>

#define NEAR_NAMES_MAX 3

struct near_name {
	const char *name; /* len bytes of it */
	size_t len;
	size_t distance;
};

struct near_names {
	const char *wanted;
	size_t wanted_len;
	/* nearest first */
	struct near_name names[NEAR_NAMES_MAX];
	size_t count;
};

void near_names_init(struct near_names *near, const char *wanted);
/*
 * Keeps `name` if it is among the nearest that were offered, and not too far
 * to be meant.  It must live as long as `near`.
 */
void near_names_offer(struct near_names *near, const char *name, size_t len);

/*
 * How many insertions, deletions, replacements and swaps of neighbours turn
 * one into the other; more than `limit`: limit + 1.
 */
size_t near_names_distance(const char *one, size_t one_len, const char *other,
			   size_t other_len, size_t limit);

#endif
