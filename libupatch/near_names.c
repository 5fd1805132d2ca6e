/* SPDX-License-Identifier: MIT */
/* The names that somebody may have meant. */
#include "near_names.h"

#include <stdint.h>
#include <string.h>

/* Longer names are not compared: they are mangled, nobody types them. */
#define MAX_LEN 256
/* A clone, `name.isra.0`, is nearer than any other name. */
#define CLONE_DISTANCE 0

void near_names_init(struct near_names *near, const char *wanted)
{
	memset(near, 0, sizeof(*near));
	near->wanted = wanted;
	near->wanted_len = strlen(wanted);
}

static size_t smaller(size_t one, size_t other)
{
	return one < other ? one : other;
}

/* rows[k]: distances of the k-th last beginning of `one` to all of `other`. */
static size_t fill_row(uint16_t *const rows[3], const char *one, size_t i,
		       const char *other, size_t other_len)
{
	size_t lowest = i;

	rows[0][0] = (uint16_t)i;
	for (size_t j = 1; j <= other_len; j++) {
		size_t replaced = rows[1][j - 1] + (one[i - 1] != other[j - 1]);
		size_t best = smaller(rows[1][j], rows[0][j - 1]) + 1UL;

		best = smaller(best, replaced);
		if (i > 1 && j > 1 && one[i - 1] == other[j - 2] &&
		    one[i - 2] == other[j - 1])
			best = smaller(best, rows[2][j - 2] + 1UL);
		rows[0][j] = (uint16_t)best;
		lowest = smaller(lowest, best);
	}
	return lowest;
}

size_t near_names_distance(const char *one, size_t one_len, const char *other,
			   size_t other_len, size_t limit)
{
	uint16_t storage[3][MAX_LEN + 1];
	uint16_t *rows[3] = { storage[0], storage[1], storage[2] };
	size_t gap =
		one_len > other_len ? one_len - other_len : other_len - one_len;

	if (one_len > MAX_LEN || other_len > MAX_LEN || gap > limit)
		return limit + 1;
	for (size_t j = 0; j <= other_len; j++)
		rows[0][j] = (uint16_t)j;
	for (size_t i = 1; i <= one_len; i++) {
		uint16_t *oldest = rows[2];

		rows[2] = rows[1];
		rows[1] = rows[0];
		rows[0] = oldest;
		if (fill_row(rows, one, i, other, other_len) > limit)
			return limit + 1;
	}
	return smaller(rows[0][other_len], limit + 1);
}

static int is_clone(const struct near_names *near, const char *name, size_t len)
{
	return len > near->wanted_len && name[near->wanted_len] == '.' &&
	       memcmp(name, near->wanted, near->wanted_len) == 0;
}

void near_names_offer(struct near_names *near, const char *name, size_t len)
{
	/* A third of the letters wrong is another word. */
	size_t limit = near->wanted_len / 3 + 1;
	size_t distance = CLONE_DISTANCE;
	size_t at;

	if (near->count == NEAR_NAMES_MAX)
		limit = smaller(limit, near->names[near->count - 1].distance);
	if (!is_clone(near, name, len))
		distance = near_names_distance(near->wanted, near->wanted_len,
					       name, len, limit);
	if (distance > limit)
		return;
	for (at = 0; at < near->count; at++) {
		if (near->names[at].len == len &&
		    memcmp(near->names[at].name, name, len) == 0)
			return;
	}
	for (at = near->count; at > 0; at--) {
		if (near->names[at - 1].distance <= distance)
			break;
		if (at < NEAR_NAMES_MAX)
			near->names[at] = near->names[at - 1];
	}
	if (at == NEAR_NAMES_MAX)
		return;
	near->names[at] = (struct near_name){ name, len, distance };
	if (near->count < NEAR_NAMES_MAX)
		near->count++;
}
