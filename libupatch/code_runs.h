/* SPDX-License-Identifier: MIT */
/*
 * Small pieces of code that are read, and written, with one call for all that
 * lie in a page.  Memory is reserved beforehand: nothing is allocated while
 * the target's threads wait.
 */
#ifndef UPATCH_CODE_RUNS_H
#define UPATCH_CODE_RUNS_H

#include "memory.h"

/* The bytes from the first piece of a page to the last one. */
struct code_run {
	upatch_addr_t addr;
	size_t len;
	uint8_t *found;
	/* as `found`, until a piece is put there */
	uint8_t *wanted;
};

struct code_runs {
	struct code_run *runs;
	size_t count;
	uint8_t *bytes;
};

/* For pieces of `len` bytes at `addrs`, which are ascending. */
UPATCH_MUST_CHECK int code_runs_init(struct code_runs *runs,
				     const upatch_addr_t *addrs, size_t count,
				     size_t len, struct upatch_error *err);
void code_runs_free(struct code_runs *runs);

/* What is not readable is found as zeros. */
void code_runs_read(struct code_runs *runs, const struct memory *memory);
/* The piece at `addr`, one of those at init. */
const uint8_t *code_runs_found(const struct code_runs *runs,
			       upatch_addr_t addr);
void code_runs_put(struct code_runs *runs, upatch_addr_t addr,
		   const uint8_t *bytes, size_t len);
/*
 * Writes what was put.  After a failure everything is as it was found; if that
 * fails as well, the code is UPATCH_ERROR_TARGET_DAMAGED.
 */
UPATCH_MUST_CHECK int code_runs_write(const struct code_runs *runs,
				      const struct memory *memory,
				      struct upatch_error *err);

#endif
