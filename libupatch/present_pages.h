/* SPDX-License-Identifier: MIT */
/*
 * Which pages of a process's memory are there.  Programs reserve far more than
 * they use: AddressSanitizer 16 TiB, Go and Java some hundred GiB.
 */
#ifndef UPATCH_PRESENT_PAGES_H
#define UPATCH_PRESENT_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "addr.h"

#define PRESENT_LIST 512

struct present_pages {
	int fd; /* /proc/PID/pagemap; -1: every page counts as present */
	/* false: the kernel lists no pages (Linux < 6.7), each is asked for */
	bool can_list;
	uint64_t asked;
	uint64_t entries[PRESENT_LIST];
};

void present_pages_open(struct present_pages *pages, pid_t pid);
void present_pages_close(struct present_pages *pages);

enum present {
	PRESENT_NONE,
	PRESENT_SOME,
	/* it would take too long to find out */
	PRESENT_UNKNOWN,
};

/*
 * The next pages in [start, end), whole pages, that are present or swapped
 * out.  Reading others would bring them into being.
 */
enum present present_pages_next(struct present_pages *pages,
				upatch_addr_t start, upatch_addr_t end,
				struct addr_range *ret_range);

#endif
