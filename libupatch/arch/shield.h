/* SPDX-License-Identifier: MIT */
/*
 * Shields: how a new function is called in place of an old one whose callers
 * rely on more than the calling convention (see clobber.h).  Pure code.
 */
#ifndef UPATCH_SHIELD_H
#define UPATCH_SHIELD_H

#include "clobber.h"

/*
 * A shield has two halves.  The one that arch_emit_shield makes stands near
 * the gate; it builds a frame, keeps registers and copies arguments.  It jumps
 * to the runtime's half (upatch_shield_common), which calls the new function
 * from code with unwind tables, then back to the first one, which restores
 * and returns.  All state is in the frame, so a longjmp or an exception may
 * leave it.
 *
 * For who looks at stacks: a thread anywhere in a shielded call has its
 * program counter in [code, code + len) or a word on its stack that points
 * there (not at its first byte).  That range counts as a part of the new
 * function, with this difference to other words on a stack: a walk that shows
 * upatch_shield_common as its innermost frame clears nobody, as the thread is
 * about to enter or has just left the new function.
 */
struct shield_spec {
	upatch_addr_t code;	     /* where this half will run */
	upatch_addr_t shield_common; /* upatch_shield_common in the runtime */
	upatch_addr_t new_func;
	/* registers that a machine of this width does not have are ignored */
	struct clobber_set kept;
	/* bytes kept of a vector register: at most arch_vector_width */
	uint8_t vector_width;
	/* of the new function: see clobber.h */
	bool stack_args_known;
	uint32_t stack_arg_bytes;
};

/* The most code bytes that arch_emit_shield writes. */
#define ARCH_SHIELD_MAX 1024

/*
 * Arguments on the stack are copied, as many as the new function reads.  If
 * that is not known, 1 KiB is, or less where the stack ends before.  Fails if
 * it is not possible: arguments of 2 GiB, or too little room in `buf`.
 */
UPATCH_MUST_CHECK int arch_emit_shield(const struct shield_spec *wanted,
				       uint8_t *buf, size_t size,
				       size_t *ret_len,
				       struct upatch_error *err);

/* Bytes of the widest vector registers of this machine: 16, 32 or 64. */
uint8_t arch_vector_width(void);

#endif
