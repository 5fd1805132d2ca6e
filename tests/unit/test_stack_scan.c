/* SPDX-License-Identifier: MIT */
/* Scans of captured stacks. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <string.h>

#include "stack_scan.h"

#define BASE 0x7ffc00001000UL

static void expect_find(const struct scan_values *values, const uint64_t *words,
			size_t count, size_t from, long expected)
{
	struct stack_copy copy = { .base = BASE,
				   .bytes = (const unsigned char *)words,
				   .len = count * sizeof(*words) };
	size_t offset = 0;
	bool found = stack_scan_find(values, &copy, from, &offset);

	cr_assert(eq(long, found ? (long)offset : -1, expected));
}

Test(stack_scan, ranges_are_sorted_and_joined)
{
	struct addr_range ranges[] = {
		{ 0x5000, 0x5010 }, { 0x1000, 0x1020 }, { 0x3000, 0x3000 },
		{ 0x1010, 0x1018 }, { 0x1020, 0x1030 },
	};
	size_t count = stack_scan_sort(ranges, 5);

	cr_assert(eq(sz, count, 2));
	cr_assert(eq(u64, ranges[0].start, 0x1000));
	cr_assert(eq(u64, ranges[0].end, 0x1030));
	cr_assert(eq(u64, ranges[1].start, 0x5000));
	cr_assert(eq(u64, ranges[1].end, 0x5010));
	cr_assert(eq(sz, stack_scan_sort(ranges, 0), 0));
}

Test(stack_scan, bounds_of_a_range_are_exact)
{
	static const struct addr_range ranges[] = {
		{ 0x555555555100, 0x555555555180 },
		{ 0x7ffff7a00000, 0x7ffff7a00001 },
	};
	struct scan_values values;

	stack_scan_init(&values, ranges, 2);
	cr_assert(not(stack_scan_has(&values, 0x5555555550ff)));
	cr_assert(stack_scan_has(&values, 0x555555555100));
	cr_assert(stack_scan_has(&values, 0x55555555517f));
	cr_assert(not(stack_scan_has(&values, 0x555555555180)));
	cr_assert(stack_scan_has(&values, 0x7ffff7a00000));
	cr_assert(not(stack_scan_has(&values, 0x7ffff7a00001)));
	cr_assert(not(stack_scan_has(&values, 0x7ffff79fffff)));
	cr_assert(not(stack_scan_has(&values, 0)));
	cr_assert(not(stack_scan_has(&values, UINT64_MAX)));
}

Test(stack_scan, nothing_is_found_without_ranges)
{
	static const uint64_t words[] = { 0, UINT64_MAX, 0x1000 };
	struct scan_values values;

	stack_scan_init(&values, NULL, 0);
	expect_find(&values, words, 3, 0, -1);
}

Test(stack_scan, words_are_found_in_order)
{
	static const struct addr_range ranges[] = { { 0x1000, 0x2000 } };
	static const uint64_t words[] = { 0xfff, 0x1000, 7, 0x1fff, 0x2000 };
	struct scan_values values;

	stack_scan_init(&values, ranges, 1);
	expect_find(&values, words, 5, 0, 8);
	expect_find(&values, words, 5, 8, 8);
	expect_find(&values, words, 5, 9, 24);
	expect_find(&values, words, 5, 16, 24);
	expect_find(&values, words, 5, 32, -1);
	expect_find(&values, words, 5, 40, -1);
	expect_find(&values, words, 0, 0, -1);
}

Test(stack_scan, only_aligned_words_count)
{
	static const struct addr_range ranges[] = { { 0x1000, 0x2000 } };
	unsigned char bytes[32] = { 0 };
	uint64_t word = 0x1234;
	struct stack_copy copy = { .bytes = bytes, .len = sizeof(bytes) };
	struct scan_values values;
	size_t offset;

	stack_scan_init(&values, ranges, 1);
	memcpy(bytes + 12, &word, sizeof(word));
	copy.base = BASE;
	cr_assert(not(stack_scan_find(&values, &copy, 0, &offset)));
	/* aligned in the target, not in the copy */
	copy.base = BASE + 4;
	cr_assert(stack_scan_find(&values, &copy, 0, &offset));
	cr_assert(eq(sz, offset, 12));
}

Test(stack_scan, word_cut_off_at_the_end_is_not_read)
{
	static const struct addr_range ranges[] = { { 0x1000, 0x2000 } };
	uint64_t word = 0x1234;
	struct stack_copy copy = { .base = BASE,
				   .bytes = (const unsigned char *)&word };
	struct scan_values values;
	size_t offset;

	stack_scan_init(&values, ranges, 1);
	for (copy.len = 0; copy.len < sizeof(word); copy.len++)
		cr_assert(not(stack_scan_find(&values, &copy, 0, &offset)));
	cr_assert(stack_scan_find(&values, &copy, 0, &offset));
}

Test(stack_scan, range_over_many_pages_is_found_everywhere)
{
	static const struct addr_range ranges[] = {
		{ 0x555555000000, 0x555557000000 },
	};
	struct scan_values values;
	upatch_addr_t addr;

	stack_scan_init(&values, ranges, 1);
	for (addr = ranges[0].start; addr < ranges[0].end; addr += 4096)
		cr_assert(stack_scan_has(&values, addr));
	cr_assert(stack_scan_has(&values, ranges[0].end - 1));
}

Test(stack_scan, word_outside_of_the_copy_is_not_there)
{
	static const uint64_t words[] = { 1, 2 };
	struct stack_copy copy = { .base = BASE,
				   .bytes = (const unsigned char *)words,
				   .len = sizeof(words) };
	uint64_t word = 0;

	cr_assert(stack_copy_word(&copy, 8, &word));
	cr_assert(eq(u64, word, 2));
	cr_assert(not(stack_copy_word(&copy, 9, &word)));
	cr_assert(not(stack_copy_word(&copy, 16, &word)));
	cr_assert(not(stack_copy_word(&copy, (uint64_t)-8, &word)));
}

#define WORDS_MAX 200

/* 32 words are looked at together: wherever it is, and whatever is around. */
Test(stack_scan, word_is_found_at_each_place)
{
	static const struct addr_range ranges[] = {
		{ 0x5554ffffff00, 0x5554ffffff80 },
		{ 0x7ffff7a00000, 0x7ffff7a00001 },
	};
	static const uint64_t others[] = { 0, UINT64_MAX, 0x5554fffffeff,
					   0x6000deadbeef };
	uint64_t words[WORDS_MAX];
	struct scan_values values;

	stack_scan_init(&values, ranges, 2);
	for (size_t at = 0; at < WORDS_MAX; at++) {
		for (size_t i = 0; i < WORDS_MAX; i++)
			words[i] = others[(at + i) % 4];
		words[at] = at % 2 ? 0x7ffff7a00000 : 0x5554ffffff7f;
		for (size_t count = at; count <= WORDS_MAX; count += 7)
			expect_find(&values, words, count, 0,
				    count > at ? (long)(8 * at) : -1);
		expect_find(&values, words, WORDS_MAX, 8 * at + 8, -1);
	}
}
