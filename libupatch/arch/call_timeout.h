/* SPDX-License-Identifier: MIT */
/*
 * Relative time-outs of the system calls that the kernel does not restart
 * after a stop: where they are, and whether they may be made shorter.
 */
#ifndef UPATCH_ARCH_CALL_TIMEOUT_H
#define UPATCH_ARCH_CALL_TIMEOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "../addr.h"
#include "regs.h"

#define ARCH_CALL_ARGUMENTS 6

enum arch_timeout_unit {
	ARCH_TIMEOUT_MILLISECONDS, /* an int; negative: none */
	ARCH_TIMEOUT_TIMESPEC,	   /* its address; 0: none */
};

struct arch_timeout {
	enum arch_timeout_unit unit;
	unsigned int argument; /* from 0 */
};

/* False: a call without a time-out, or one that the kernel restarts. */
bool arch_timeout_find(uint64_t number, struct arch_timeout *ret_timeout);

/* Of registers that arch_make_call_again has set. */
uint64_t arch_pending_number(const struct arch_regs *regs);
/* Behind the instruction that makes the call. */
upatch_addr_t arch_pending_pc(const struct arch_regs *regs);
uint64_t arch_argument(const struct arch_regs *regs, unsigned int argument);
void arch_set_argument(struct arch_regs *regs, unsigned int argument,
		       uint64_t value);

/*
 * `code` stands at `pc`, behind a call.  True: on every way to the end of the
 * function, or to a call, the argument's register is not read before it is
 * written.  Beyond that it is dead by the calling convention.
 */
bool arch_argument_is_dead(const uint8_t *code, size_t len, upatch_addr_t pc,
			   unsigned int argument);

#endif
