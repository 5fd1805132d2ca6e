/* SPDX-License-Identifier: MIT */
/* Which pages of a process's memory are there. */
#include "present_pages.h"

#include <fcntl.h>
#include <linux/ioctl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tasks.h"

#define PAGE_LEN 4096UL
/* Where each page is asked for: 256 GiB take half a second. */
#define ASKED_MAX (256UL << 30)

/* An entry of /proc/PID/pagemap (proc(5)). */
#define ENTRY_PRESENT (1UL << 63)
#define ENTRY_SWAPPED (1UL << 62)

/* PAGEMAP_SCAN(2const), since Linux 6.7; not in linux/fs.h of Debian 12. */
struct page_region {
	uint64_t start, end, categories;
};
struct scan_arg {
	uint64_t size, flags, start, end, walk_end;
	uint64_t vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask;
	uint64_t return_mask;
};
#define SCAN_REQUEST _IOWR('f', 16, struct scan_arg)
#define SCAN_PRESENT (1UL << 3)
#define SCAN_SWAPPED (1UL << 4)

static int scan(int fd, upatch_addr_t start, upatch_addr_t end,
		struct page_region *region)
{
	struct scan_arg arg = {
		.size = sizeof(arg),
		.start = start,
		.end = end,
		.vec = (uint64_t)(uintptr_t)region,
		.vec_len = 1,
		.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
		.return_mask = SCAN_PRESENT,
	};

	return ioctl(fd, SCAN_REQUEST, &arg);
}

void present_pages_open(struct present_pages *pages, pid_t pid)
{
	struct page_region region;

	*pages = (struct present_pages){ 0 };
	pages->fd = tasks_open(pid, "pagemap", O_RDONLY | O_CLOEXEC);
	pages->can_list = pages->fd >= 0 && scan(pages->fd, 0, 0, &region) >= 0;
}

void present_pages_close(struct present_pages *pages)
{
	if (pages->fd >= 0)
		close(pages->fd);
	pages->fd = -1;
}

static bool read_entries(struct present_pages *pages, upatch_addr_t start,
			 size_t count)
{
	const size_t len = count * sizeof(pages->entries[0]);
	const off_t offset =
		(off_t)(start / PAGE_LEN * sizeof(pages->entries[0]));

	return pread(pages->fd, pages->entries, len, offset) == (ssize_t)len;
}

static bool is_present(const struct present_pages *pages, size_t page)
{
	return pages->entries[page] & (ENTRY_PRESENT | ENTRY_SWAPPED);
}

/* The first pages that are there among `count` at `start`. */
static bool find_entries(const struct present_pages *pages, upatch_addr_t start,
			 size_t count, struct addr_range *ret_range)
{
	size_t first = 0, end;

	while (first < count && !is_present(pages, first))
		first++;
	for (end = first; end < count && is_present(pages, end);)
		end++;
	if (first == end)
		return false;
	ret_range->start = start + first * PAGE_LEN;
	ret_range->end = start + end * PAGE_LEN;
	return true;
}

static enum present ask_for_each(struct present_pages *pages,
				 upatch_addr_t start, upatch_addr_t end,
				 struct addr_range *ret_range)
{
	while (start < end) {
		size_t count = (end - start) / PAGE_LEN;

		if (count > PRESENT_LIST)
			count = PRESENT_LIST;
		if (pages->asked > ASKED_MAX)
			return PRESENT_UNKNOWN;
		if (!read_entries(pages, start, count)) {
			*ret_range = (struct addr_range){ start, end };
			return PRESENT_SOME;
		}
		if (find_entries(pages, start, count, ret_range)) {
			pages->asked += ret_range->end - start;
			return PRESENT_SOME;
		}
		pages->asked += count * PAGE_LEN;
		start += count * PAGE_LEN;
	}
	return PRESENT_NONE;
}

enum present present_pages_next(struct present_pages *pages,
				upatch_addr_t start, upatch_addr_t end,
				struct addr_range *ret_range)
{
	struct page_region region;
	int count;

	if (start >= end)
		return PRESENT_NONE;
	if (pages->can_list) {
		count = scan(pages->fd, start, end, &region);
		if (count == 0)
			return PRESENT_NONE;
		if (count > 0) {
			*ret_range =
				(struct addr_range){ region.start, region.end };
			return PRESENT_SOME;
		}
	}
	return ask_for_each(pages, start, end, ret_range);
}
