/* SPDX-License-Identifier: MIT */
/*
 * Room for gates, found and written by the runtime itself: the counterpart of
 * code_space.c in a controller.
 */
#ifndef UPATCH_RUNTIME_CODE_AREA_H
#define UPATCH_RUNTIME_CODE_AREA_H

#include "runtime.h"

struct code_piece {
	uint64_t code, data;
	uint64_t head; /* of the area's data */
};

/* In reach of a jump at `near`; what is used follows from the state. */
int code_area_take(uint64_t near, size_t code_len, size_t data_len,
		   struct code_piece *ret_piece);
/*
 * Writes code that nobody executes now.  Never makes a page writable and
 * executable at once.
 */
int code_area_write(uint64_t addr, const void *bytes, size_t len);

#endif
