/* SPDX-License-Identifier: MIT */
/* Looking for words that refer to code, in all of the target's memory. */
#include "references.h"

#include <stdlib.h>
#include <sys/uio.h>

#include "present_pages.h"
#include "stack_scan.h"

#define BLOCK_LEN (1UL << 17)
#define PAGE_LEN  4096UL
/* Takes some seconds; more than that is nothing to wait for. */
#define MEMORY_MAX (12UL << 30)

struct search {
	const struct process *process;
	const struct reference_query *query;
	struct scan_values values;
	struct present_pages pages;
	unsigned char *block;
	uint64_t looked_at;
	bool was_asked; /* to stop */
};

int range_list_add(struct range_list *list, upatch_addr_t start,
		   upatch_addr_t end, struct upatch_error *err)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 16;
		struct addr_range *ranges =
			realloc(list->ranges, capacity * sizeof(*ranges));

		if (!ranges)
			return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
					 "out of memory");
		list->ranges = ranges;
		list->capacity = capacity;
	}
	list->ranges[list->count++] = (struct addr_range){ start, end };
	return 0;
}

void range_list_free(struct range_list *list)
{
	free(list->ranges);
	*list = (struct range_list){ 0 };
}

/* Functions of one patch: there are few. */
static bool is_known(const struct reference_query *query, upatch_addr_t value)
{
	for (size_t i = 0; i < query->known.count; i++) {
		const struct addr_range *range = &query->known.ranges[i];

		if (value == range->start || value == range->end)
			return true;
	}
	return false;
}

/* Through the file, what cannot be read by its program as well; but slower. */
static size_t read_block(struct search *search, upatch_addr_t start, size_t len)
{
	const struct memory *memory = &search->process->memory;
	struct iovec here = { search->block, len };
	struct iovec there = { (void *)start, len };

	if (memory_readv(memory, &here, 1, &there, 1) == (ssize_t)len)
		return len;
	return memory_read_some(memory, start, search->block, len);
}

static bool has_reference(struct search *search, upatch_addr_t start,
			  uint64_t len)
{
	struct stack_copy copy = { .base = start, .bytes = search->block };
	size_t from = 0, offset;
	uint64_t word;

	copy.len = read_block(search, start, len);
	search->looked_at += copy.len;
	while (stack_scan_find(&search->values, &copy, from, &offset)) {
		from = offset + sizeof(word);
		if (stack_copy_word(&copy, offset, &word) &&
		    !is_known(search->query, word))
			return true;
	}
	return false;
}

static enum reference_result search_pages(struct search *search,
					  const struct addr_range *pages)
{
	upatch_addr_t start = pages->start;

	while (start < pages->end) {
		uint64_t len = pages->end - start;

		if (len > BLOCK_LEN)
			len = BLOCK_LEN;
		if (has_reference(search, start, len))
			return REFERENCES_FOUND;
		search->was_asked = asked_to_stop(&search->process->asked);
		if (search->looked_at > MEMORY_MAX || search->was_asked)
			return REFERENCES_UNKNOWN;
		start += len;
	}
	return REFERENCES_NONE;
}

static enum reference_result
search_range(struct search *search, upatch_addr_t start, upatch_addr_t end)
{
	enum reference_result result = REFERENCES_NONE;
	enum present present;
	struct addr_range pages;

	start &= ~(PAGE_LEN - 1);
	end = (end + PAGE_LEN - 1) & ~(PAGE_LEN - 1);
	while (!result) {
		present =
			present_pages_next(&search->pages, start, end, &pages);
		if (present == PRESENT_NONE)
			break;
		if (present == PRESENT_UNKNOWN)
			return REFERENCES_UNKNOWN;
		result = search_pages(search, &pages);
		start = pages.end;
	}
	return result;
}

/* What of the mapping is not skipped, piece by piece. */
static enum reference_result search_map(struct search *search,
					const struct map *map)
{
	const struct reference_query *query = search->query;
	enum reference_result result = REFERENCES_NONE;
	upatch_addr_t start = map->start;

	for (size_t i = 0; i < query->skipped.count && !result; i++) {
		const struct addr_range *skipped = &query->skipped.ranges[i];

		if (skipped->end <= start || skipped->start >= map->end)
			continue;
		if (skipped->start > start)
			result = search_range(search, start, skipped->start);
		start = skipped->end;
	}
	if (!result && start < map->end)
		result = search_range(search, start, map->end);
	return result;
}

int references_find(const struct process *process,
		    struct reference_query *query,
		    enum reference_result *ret_result, struct upatch_error *err)
{
	enum reference_result result = REFERENCES_NONE;
	struct search *search = calloc(1, sizeof(*search));
	bool was_asked;

	if (search)
		search->block = malloc(BLOCK_LEN);
	if (!search || !search->block) {
		free(search);
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	}
	search->process = process;
	search->query = query;
	query->skipped.count =
		stack_scan_sort(query->skipped.ranges, query->skipped.count);
	stack_scan_init(&search->values, &query->code, 1);
	present_pages_open(&search->pages, process->pid);
	for (size_t i = 0; i < process->maps.count && !result; i++) {
		const struct map *map = &process->maps.maps[i];

		if (map->readable && map->writable && !map->shared)
			result = search_map(search, map);
	}
	present_pages_close(&search->pages);
	was_asked = search->was_asked;
	free(search->block);
	free(search);
	if (was_asked)
		return asked_report(err);
	*ret_result = result;
	return 0;
}
