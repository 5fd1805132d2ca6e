/* SPDX-License-Identifier: MIT */
/*
 * Types that the victim `caller_regs` and its patch pass to each other.
 */
#ifndef VICTIMS_CALLER_REGS_H
#define VICTIMS_CALLER_REGS_H

/* returned in rax and rdx */
struct two_longs {
	long first, second;
};
/* returned in xmm0 and rax */
struct mixed {
	double number;
	long count;
};
/* passed on the stack, returned through a hidden pointer */
struct on_stack {
	long values[3];
};

#endif
