/* SPDX-License-Identifier: MIT */
/* Finds words with given values in a copied stack. */
#include "stack_scan.h"

#include <stdlib.h>
#include <string.h>

#define WORD_LEN   sizeof(uint64_t)
#define PAGE_SHIFT 12
#define AT_ONCE	   32

static int compare_ranges(const void *left, const void *right)
{
	const struct addr_range *a = left, *b = right;

	return (a->start > b->start) - (a->start < b->start);
}

size_t stack_scan_sort(struct addr_range *ranges, size_t count)
{
	size_t i, kept = 0;

	if (count == 0)
		return 0;
	qsort(ranges, count, sizeof(*ranges), compare_ranges);
	for (i = 0; i < count; i++) {
		if (ranges[i].start >= ranges[i].end)
			continue;
		if (kept > 0 && ranges[i].start <= ranges[kept - 1].end) {
			if (ranges[i].end > ranges[kept - 1].end)
				ranges[kept - 1].end = ranges[i].end;
			continue;
		}
		ranges[kept++] = ranges[i];
	}
	return kept;
}

static void add_pages(struct scan_values *values,
		      const struct addr_range *range)
{
	uint64_t page = range->start >> PAGE_SHIFT;
	uint64_t last = (range->end - 1) >> PAGE_SHIFT;

	if (last - page >= SCAN_PAGE_BITS)
		last = page + SCAN_PAGE_BITS - 1;
	for (; page <= last; page++)
		values->pages[page % SCAN_PAGE_BITS / 64] |= 1UL << page % 64;
}

void stack_scan_init(struct scan_values *values,
		     const struct addr_range *ranges, size_t count)
{
	size_t i;

	*values = (struct scan_values){ .ranges = ranges, .count = count };
	if (count == 0)
		return;
	values->lowest = ranges[0].start;
	values->span = ranges[count - 1].end - ranges[0].start;
	for (i = 0; i < count; i++)
		add_pages(values, &ranges[i]);
}

/* Quick, and without branches: the words of a stack follow no pattern. */
static bool may_have(const struct scan_values *values, uint64_t value)
{
	uint64_t page = value >> PAGE_SHIFT;
	uint64_t pages = values->pages[page % SCAN_PAGE_BITS / 64];
	bool is_inside = value - values->lowest < values->span;

	return (pages >> page % 64 & 1) & is_inside;
}

bool stack_scan_has(const struct scan_values *values, uint64_t value)
{
	size_t low = 0, high = values->count;

	if (!may_have(values, value))
		return false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (value < values->ranges[middle].start)
			high = middle;
		else if (value >= values->ranges[middle].end)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

static uint64_t load_word(const unsigned char *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

/*
 * Of so many words at once, whether the upper half of one of them can be right:
 * a loop that compilers make of vector instructions.
 */
static bool some_may_be_inside(const struct scan_values *values,
			       const unsigned char *bytes)
{
	uint32_t lowest = (uint32_t)(values->lowest >> 32);
	uint32_t span =
		(uint32_t)((values->lowest + values->span) >> 32) - lowest;
	uint32_t found = 0;

	for (size_t i = 0; i < AT_ONCE; i++) {
		uint32_t upper;

		memcpy(&upper, bytes + i * WORD_LEN + WORD_LEN / 2,
		       sizeof(upper));
		found |= upper - lowest <= span;
	}
	return found;
}

bool stack_scan_find(const struct scan_values *values,
		     const struct stack_copy *copy, size_t from,
		     size_t *ret_offset)
{
	size_t offset;

	/* Up to the next word that is aligned in the target. */
	offset = from + (size_t)(-(copy->base + from) % WORD_LEN);
	for (; offset < copy->len && copy->len - offset >= WORD_LEN;
	     offset += WORD_LEN) {
		uint64_t word;

		while (copy->len - offset >= AT_ONCE * WORD_LEN &&
		       !some_may_be_inside(values, copy->bytes + offset))
			offset += AT_ONCE * WORD_LEN;
		if (copy->len - offset < WORD_LEN)
			break;
		word = load_word(copy->bytes + offset);
		if (!stack_scan_has(values, word))
			continue;
		*ret_offset = offset;
		return true;
	}
	return false;
}

bool stack_copy_word(const struct stack_copy *copy, uint64_t offset,
		     uint64_t *ret_word)
{
	if (offset > copy->len || copy->len - offset < WORD_LEN)
		return false;
	*ret_word = load_word(copy->bytes + offset);
	return true;
}
