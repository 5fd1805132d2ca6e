/* SPDX-License-Identifier: MIT */
/* Distances between names, and which names are offered. */
#include "near_names.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

Test(near_names, distance_counts_single_changes)
{
	static const struct {
		const char *one, *other;
		size_t distance;
	} cases[] = {
		{ "", "", 0 },	     { "", "abc", 3 },
		{ "abc", "abc", 0 }, { "abc", "abd", 1 },
		{ "abc", "ab", 1 },  { "abc", "xabc", 1 },
		{ "abc", "acb", 1 }, { "kitten", "sitting", 3 },
		{ "ab", "ba", 1 },   { "abcdef", "badcfe", 3 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *one = cases[i].one;
		const char *other = cases[i].other;
		size_t there = near_names_distance(one, strlen(one), other,
						   strlen(other), 9);
		size_t back = near_names_distance(other, strlen(other), one,
						  strlen(one), 9);

		cr_assert(eq(sz, there, cases[i].distance), "%s %s", one,
			  other);
		cr_assert(eq(sz, back, cases[i].distance), "%s %s", other, one);
	}
}

Test(near_names, distance_stops_at_the_limit)
{
	char very_long[400];

	memset(very_long, 'a', sizeof(very_long));
	cr_assert(eq(sz, near_names_distance("abcdef", 6, "uvwxyz", 6, 2), 3));
	cr_assert(eq(sz, near_names_distance("a", 1, "abcdef", 6, 2), 3));
	cr_assert(eq(sz,
		     near_names_distance(very_long, sizeof(very_long), "a", 1,
					 1000),
		     1001));
}

static void offer(struct near_names *near, const char *name)
{
	near_names_offer(near, name, strlen(name));
}

static void check(const struct near_names *near, size_t place, const char *name)
{
	cr_assert(gt(sz, near->count, place), "%s", name);
	cr_assert(eq(sz, near->names[place].len, strlen(name)), "%s", name);
	cr_assert(zero(int,
		       memcmp(near->names[place].name, name, strlen(name))),
		  "%s", name);
}

Test(near_names, the_three_nearest_are_kept_in_order)
{
	struct near_names near;

	near_names_init(&near, "processCommand");
	offer(&near, "rocessComman");
	offer(&near, "something_else");
	offer(&near, "processComand");
	offer(&near, "processCommands2");
	offer(&near, "prcesComand");
	offer(&near, "processComand");
	cr_assert(eq(sz, near.count, 3));
	check(&near, 0, "processComand");
	check(&near, 1, "rocessComman");
	check(&near, 2, "processCommands2");
}

Test(near_names, a_clone_comes_first)
{
	struct near_names near;

	near_names_init(&near, "lookup");
	offer(&near, "lookupp");
	offer(&near, "lookup.isra.0");
	offer(&near, "lookups");
	offer(&near, "looku");
	check(&near, 0, "lookup.isra.0");
	check(&near, 1, "lookupp");
	check(&near, 2, "lookups");
}

Test(near_names, nothing_is_better_than_nonsense)
{
	struct near_names near;

	near_names_init(&near, "get");
	offer(&near, "frobnicate");
	offer(&near, "");
	cr_assert(eq(sz, near.count, 0));
	near_names_init(&near, "");
	offer(&near, "abc");
	cr_assert(eq(sz, near.count, 0));
}
