/* SPDX-License-Identifier: MIT */
/* Addresses in the target; never pointers of ours. */
#ifndef UPATCH_ADDR_H
#define UPATCH_ADDR_H

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t upatch_addr_t;

/* [start, end) */
struct addr_range {
	upatch_addr_t start, end;
};

static inline bool addr_range_has(const struct addr_range *range,
				  upatch_addr_t addr)
{
	return addr >= range->start && addr < range->end;
}

#endif
