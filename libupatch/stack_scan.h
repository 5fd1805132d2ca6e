/* SPDX-License-Identifier: MIT */
/* Finds words with given values in a copied stack.  Pure code. */
#ifndef UPATCH_STACK_SCAN_H
#define UPATCH_STACK_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"

/* Bytes of a stack, as they were when its thread was stopped. */
struct stack_copy {
	upatch_addr_t base; /* of the first byte in the target */
	const unsigned char *bytes;
	size_t len;
};

#define SCAN_PAGE_BITS 4096

/* Ranges of values that are looked for; points to the caller's array. */
struct scan_values {
	const struct addr_range *ranges; /* ascending, without overlap */
	size_t count;
	/* what is not in [lowest, lowest + span) is in no range */
	upatch_addr_t lowest;
	uint64_t span;
	/*
	 * Bit n: a range touches a page whose number is n modulo the size.
	 * Ranges in the program and in a library have the heap in between:
	 * the span alone would let every heap pointer through.
	 */
	uint64_t pages[SCAN_PAGE_BITS / 64];
};

/*
 * Sorts the ranges, joins those that touch and drops the empty ones, in place.
 * Returns how many are left.
 */
size_t stack_scan_sort(struct addr_range *ranges, size_t count);
/* `ranges` as stack_scan_sort leaves them. */
void stack_scan_init(struct scan_values *values,
		     const struct addr_range *ranges, size_t count);
bool stack_scan_has(const struct scan_values *values, uint64_t value);

/*
 * The first word in copy[from, len) whose value is in a range.  Words are
 * those that are aligned in the target; a rest at the end is not looked at.
 */
bool stack_scan_find(const struct scan_values *values,
		     const struct stack_copy *copy, size_t from,
		     size_t *ret_offset);
/* The word at `offset` of the copy.  False: it is not in the copy. */
bool stack_copy_word(const struct stack_copy *copy, uint64_t offset,
		     uint64_t *ret_word);

#endif
