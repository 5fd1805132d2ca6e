/* SPDX-License-Identifier: MIT */
/*
 * What callers may rely on beyond the calling convention, found out from the
 * code of the function that they call.
 */
#ifndef UPATCH_CLOBBER_H
#define UPATCH_CLOBBER_H

#include "arch.h"

/*
 * GCC compiles a caller against what a function of the same unit really does
 * (-fipa-ra and -fipa-stack-alignment, both on at -O2): a register that the
 * function leaves alone may be live across the call although the convention
 * calls it caller-saved, and the stack may be misaligned.  What a function
 * does counts with all that it calls, as long as the compiler sees it; one
 * call of something unknown, and callers rely on the convention alone.
 */

/*
 * The code of the object that a function belongs to, as the file has it: a
 * site's jump would hide what callers were compiled against.  `find` tells
 * which function contains (or begins at) an address: its start and its code,
 * valid until the analysis returns.  False: outside the object's own code, the
 * stubs of the PLT included.  For code without symbols the ranges of .eh_frame
 * will do, and failing that everything up to the section's end: "not known"
 * here means "no compiler has seen it".
 */
struct code_source {
	bool (*find)(void *user, upatch_addr_t addr, upatch_addr_t *ret_start,
		     const uint8_t **ret_code, size_t *ret_len);
	void *user;
};

/*
 * Caller-saved registers, as bits.  The x87 and MMX registers are not among
 * them: they are empty at every call (psABI 3.2.1), and GCC takes the former
 * for overwritten by whatever is called (collect_fn_hard_reg_usage).
 */
struct clobber_set {
	uint32_t general; /* bit n: register number n (rax 0, rcx 1, …) */
	uint32_t vector;  /* bit n: xmm n / ymm n / zmm n, n < 32 */
	uint32_t opmask;  /* bit n: k n */
};

struct clobber {
	/*
	 * False: the function calls or jumps to something that the compiler
	 * cannot have known, so that nobody can rely on anything.
	 */
	bool known;
	/*
	 * False: some code could not be followed (bytes that are no
	 * instruction, too much of it).  Then every register that can hold a
	 * result counts as written, and other sets may lack something.
	 */
	bool complete;
	/* Why it is not known or not complete, a constant string; or NULL. */
	const char *reason;
	/*
	 * Not always as it was when the function returns.  A vector register
	 * counts as a whole, as it does for GCC.
	 */
	struct clobber_set written;
	/* Written anywhere in between, even if restored; parts of it count. */
	struct clobber_set touched;
	/*
	 * Of the registers that can hold both an argument and the result of
	 * the same type (xmm0, xmm1), those that are given a value at the
	 * end which the function itself does not use: a result, surely.
	 */
	struct clobber_set results;
	/*
	 * How much of the arguments on the stack the function can read, from
	 * the first one on; at least that much if not known.
	 */
	bool stack_args_known;
	uint32_t stack_arg_bytes;
};

/*
 * Walks the function at `addr` and what it calls directly inside the object.
 * Never fails: see `known` and `complete`.
 */
void clobber_analyze(const struct code_source *source, upatch_addr_t addr,
		     struct clobber *ret_clobber);

/*
 * May a caller rely on more than the calling convention promises?  Whether one
 * does is not looked for: it would take some 20 ms per function at apply.
 */
bool clobber_needs_shield(const struct clobber *old_function);

/*
 * The registers that a shield keeps when it calls new_function for callers
 * that were compiled against old_function: those that it does not write and
 * that the new one may change.
 */
void clobber_find_kept(const struct clobber *old_function,
		       const struct clobber *new_function,
		       struct clobber_set *ret_kept);

#endif
