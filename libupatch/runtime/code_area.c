/* SPDX-License-Identifier: MIT */
/* Room for gates, found and written by the runtime itself. */
#include "code_area.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../arch/arch.h"

#define PAGE_LEN   4096UL
#define CODE_UNIT  32UL
#define HINT_STEP  (16UL << 20)
#define HINT_TRIES 96

static struct rt_state *const state = &upatch_runtime_state;

struct use {
	uint64_t start, len;
};

static bool overlaps(uint64_t start, uint64_t len, uint64_t other_start,
		     uint64_t other_len)
{
	return other_len && start < other_start + other_len &&
	       other_start < start + len;
}

static bool words_overlap(uint64_t start, uint64_t len, uint64_t words)
{
	return overlaps(start, len, words, sizeof(struct rt_gate_words));
}

static bool func_uses(const struct rt_func *func, uint64_t start, uint64_t len)
{
	return overlaps(start, len, func->code, func->code_len) ||
	       words_overlap(start, len, func->orig_words);
}

static bool patch_uses(const struct rt_patch *patch, uint64_t start,
		       uint64_t len)
{
	for (uint32_t i = 0; i < patch->object_count; i++) {
		const struct rt_object *object = &patch_objects(patch)[i];

		for (uint32_t j = 0; j < object->func_count; j++) {
			if (func_uses(&patch_funcs(object)[j], start, len))
				return true;
		}
	}
	return false;
}

static bool is_used(uint64_t start, uint64_t len)
{
	struct rt_patch *patch;
	struct rt_site_table *table;
	struct rt_site *site;

	rt_for_each_site(site, table)
	{
		if (overlaps(start, len, rt_site_code(site), site->code_len) ||
		    words_overlap(start, len, rt_site_words(site)))
			return true;
	}
	rt_for_each(patch, state->patches)
	{
		if (patch_uses(patch, start, len))
			return true;
	}
	return false;
}

static uint64_t find_free(uint64_t start, uint64_t end, uint64_t len,
			  uint64_t step)
{
	for (; start + len <= end; start += step) {
		if (!is_used(start, len))
			return start;
	}
	return 0;
}

static bool in_reach(const struct rt_area *area, uint64_t near)
{
	uint64_t start = area->code, end = area->data + area->data_len;

	return (start > near ? start - near : near - start) < ARCH_JUMP_REACH &&
	       (end > near ? end - near : near - end) < ARCH_JUMP_REACH;
}

static bool take_from(const struct rt_area *area, size_t code_len,
		      size_t data_len, struct code_piece *piece)
{
	/* Whole units, as the controller counts. */
	uint64_t code = find_free(area->code, area->code + area->code_len,
				  (code_len + CODE_UNIT - 1) & ~(CODE_UNIT - 1),
				  CODE_UNIT);
	/* The words of gates, one after the other. */
	uint64_t data =
		find_free(area->data + RT_AREA_HEAD,
			  area->data + area->data_len, data_len, data_len);

	if (!code || !data)
		return false;
	piece->code = code;
	piece->data = data;
	piece->head = area->data;
	return true;
}

/*
 * Without a map of the process: places beyond the code are tried one after
 * the other; what is in use is refused.
 */
static int map_near(uint64_t near, struct rt_area **ret_area)
{
	const uint64_t base = near & ~(PAGE_LEN - 1);

	for (uint64_t i = 1; i <= HINT_TRIES; i++) {
		if (!area_map(base + i * HINT_STEP, PAGE_LEN, PAGE_LEN, true,
			      ret_area) ||
		    !area_map(base - i * HINT_STEP, PAGE_LEN, PAGE_LEN, true,
			      ret_area))
			return 0;
	}
	return -ENOMEM;
}

int code_area_take(uint64_t near, size_t code_len, size_t data_len,
		   struct code_piece *ret_piece)
{
	struct rt_area *area;
	int ret;

	rt_for_each(area, state->areas)
	{
		if (area->is_of_runtime && in_reach(area, near) &&
		    take_from(area, code_len, data_len, ret_piece))
			return 0;
	}
	ret = map_near(near, &area);
	if (ret)
		return ret;
	return take_from(area, code_len, data_len, ret_piece) ? 0 : -ENOMEM;
}

/*
 * It writes where the page stays read-only and executable.  /proc/self has none
 * once the main thread has ended.
 */
int code_area_write(uint64_t addr, const void *bytes, size_t len)
{
	int fd = open("/proc/thread-self/mem", O_RDWR | O_CLOEXEC);
	ssize_t written;

	if (fd < 0)
		return -errno;
	written = pwrite(fd, bytes, len, (off_t)addr);
	close(fd);
	return written == (ssize_t)len ? 0 : -EIO;
}
