/* SPDX-License-Identifier: MIT */
/*
 * What a caller may rely on beyond the calling convention.  GCC compiles a
 * caller against what a function of the same unit really does (-fipa-ra,
 * -fipa-stack-alignment): a register that the old function leaves alone may
 * be live across the call, and the stack may be misaligned.  This is the
 * analysis that finds out, from the code, whether that is possible.
 */
#ifndef UPATCH_CLOBBER_H
#define UPATCH_CLOBBER_H

#include "arch.h"

/*
 * The code of the object that a function belongs to.  `find` tells which
 * function contains (or begins at) an address: its start and its code, valid
 * until the analysis returns.  False: not known.
 */
struct code_source {
	bool (*find)(void *user, upatch_addr_t addr, upatch_addr_t *ret_start,
		     const uint8_t **ret_code, size_t *ret_len);
	void *user;
};

/* Caller-saved registers, as bits. */
struct clobber_set {
	uint32_t general;  /* bit n: register number n (rax 0, rcx 1, …) */
	uint32_t vector;   /* bit n: xmm n / ymm n / zmm n, n < 32 */
	uint32_t opmask;   /* bit n: k n */
	bool x87;          /* any x87 or MMX register */
};

struct clobber {
	/*
	 * False: the function calls or jumps to something that cannot be
	 * known, so that no compiler can have relied on anything.
	 */
	bool known;
	/* Why it is not known, in words; a constant string. */
	const char *reason;
	/* What the function and all that it calls may write. */
	struct clobber_set written;
};

/*
 * Walks the function at `addr` and what it calls directly inside the object.
 * Never fails: what cannot be decoded is not known.
 */
void clobber_analyze(const struct code_source *source, upatch_addr_t addr,
		     struct clobber *ret_clobber);

/* Could a caller rely on more than the calling convention promises? */
bool clobber_needs_shield(const struct clobber *old_function);

#endif
