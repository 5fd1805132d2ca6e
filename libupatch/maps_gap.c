/* SPDX-License-Identifier: MIT */
/*
 * Where in the target something new can be mapped: near an address, and out
 * of the way of everything that grows.
 */
#include <string.h>

#include "maps.h"

#define PAGE 4096ULL
/* Below this, mmap(2) wants CAP_SYS_RAWIO (the default of mmap_min_addr). */
#define LOWEST 65536ULL
/* The end of what user space can map without asking for more: 47 bits. */
#define HIGHEST 0x7ffffffff000ULL
/* Unmapped, so that running over an end is noticed. */
#define GUARD PAGE
/*
 * A mapping with MAP_GROWSDOWN grows until it comes this close to its
 * neighbour (the kernel's stack_guard_gap).  maps does not tell which ones
 * have it; all that could have it are treated alike.
 */
#define GROWS_DOWN_GUARD (256 * PAGE)
/*
 * The kernel keeps this much for the main thread's stack, from its top down,
 * whatever the limit says (MIN_GAP in arch/x86/mm/mmap.c).
 */
#define STACK_ROOM (128ULL << 20)
/* So that brk(2) can go on for a while; allocators fall back to mmap. */
#define HEAP_ROOM (16ULL << 20)

/* The heap may lie in the way: two tries, the first leaves it its room. */
enum heap_rule {
	KEEP_HEAP_ROOM,
	FAR_FROM_HEAP
};

static bool may_grow_down(const struct map *map)
{
	return map->inode == 0 && !map->shared && map->writable &&
	       strcmp(map->path, "[heap]") != 0;
}

/* The end of what may be used below `map`. */
static upatch_addr_t limit_below(const struct map *map)
{
	uint64_t keep = may_grow_down(map) ? GROWS_DOWN_GUARD : GUARD;
	upatch_addr_t limit = map->start;

	if (strcmp(map->path, "[stack]") == 0 && map->end - limit < STACK_ROOM)
		limit = map->end > STACK_ROOM ? map->end - STACK_ROOM : 0;
	return limit > keep ? limit - keep : 0;
}

/* What may be used between maps[index - 1] and maps[index]. */
static struct addr_range get_gap(const struct maps *maps, size_t index)
{
	struct addr_range gap = { LOWEST, HIGHEST };

	if (index > 0 && maps->maps[index - 1].end + GUARD > LOWEST)
		gap.start = maps->maps[index - 1].end + GUARD;
	if (index < maps->count && limit_below(&maps->maps[index]) < HIGHEST)
		gap.end = limit_below(&maps->maps[index]);
	return gap;
}

/* What is asked for. */
struct wish {
	upatch_addr_t near;
	uint64_t reach, len;
};

/* The first and the last page of `range` that grant the wish; false: none. */
static bool fit(struct addr_range range, const struct wish *wish,
		upatch_addr_t *ret_first, upatch_addr_t *ret_last)
{
	upatch_addr_t first = range.start;
	upatch_addr_t end = range.end;

	if (wish->near >= wish->reach && first <= wish->near - wish->reach)
		first = wish->near - wish->reach + 1;
	if (end > wish->near && end - wish->near > wish->reach)
		end = wish->near + wish->reach;
	first = (first + PAGE - 1) & ~(PAGE - 1);
	if (end < wish->len || end - wish->len < first)
		return false;
	*ret_first = first;
	*ret_last = (end - wish->len) & ~(PAGE - 1);
	return true;
}

/* The page closest to `near`, after it where possible. */
static upatch_addr_t choose(struct addr_range range, const struct wish *wish)
{
	upatch_addr_t near = (wish->near + PAGE - 1) & ~(PAGE - 1);
	upatch_addr_t first;
	upatch_addr_t last;

	if (range.start >= range.end || !fit(range, wish, &first, &last))
		return 0;
	if (first >= near)
		return first;
	return near <= last ? near : last;
}

static upatch_addr_t try_gap(const struct maps *maps, size_t index,
			     const struct wish *wish, enum heap_rule rule)
{
	struct addr_range gap = get_gap(maps, index);
	struct addr_range below = gap;
	upatch_addr_t brk = maps->brk;
	upatch_addr_t page;
	upatch_addr_t last;

	if (gap.start >= gap.end)
		return 0;
	if (brk < LOWEST || brk >= gap.end || brk + HEAP_ROOM <= gap.start)
		return choose(gap, wish);
	if (rule == FAR_FROM_HEAP)
		return fit(gap, wish, &page, &last) ? last : 0;
	below.end = brk - GUARD;
	page = choose(below, wish);
	gap.start = brk + HEAP_ROOM;
	return page != 0 ? page : choose(gap, wish);
}

/* Gaps upwards from `first`, then downwards from there. */
static upatch_addr_t try_gaps(const struct maps *maps, size_t first,
			      const struct wish *wish, enum heap_rule rule)
{
	upatch_addr_t page = 0;

	for (size_t i = first; i <= maps->count && page == 0; i++) {
		if (i > 0 && maps->maps[i - 1].end > wish->near &&
		    maps->maps[i - 1].end - wish->near >= wish->reach)
			break;
		page = try_gap(maps, i, wish, rule);
	}
	for (size_t i = first; i-- > 0 && page == 0;) {
		if (wish->near - maps->maps[i].start >= wish->reach)
			break;
		page = try_gap(maps, i, wish, rule);
	}
	return page;
}

upatch_addr_t maps_find_gap(const struct maps *maps, upatch_addr_t near,
			    uint64_t reach, uint64_t len)
{
	struct wish wish = { near, reach, (len + PAGE - 1) & ~(PAGE - 1) };
	size_t first = 0;
	upatch_addr_t page;

	if (wish.len < len || len == 0)
		return 0;
	while (first < maps->count && maps->maps[first].start <= near)
		first++;
	page = try_gaps(maps, first, &wish, KEEP_HEAP_ROOM);
	if (page == 0)
		page = try_gaps(maps, first, &wish, FAR_FROM_HEAP);
	return page;
}
