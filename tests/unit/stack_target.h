/* SPDX-License-Identifier: MIT */
/* A victim with a thread that is stopped in a known place. */
#ifndef UNIT_STACK_TARGET_H
#define UNIT_STACK_TARGET_H

#include "child.h"
#include "maps.h"
#include "modules.h"
#include "stack_check.h"

struct stack_target {
	struct child child;
	pid_t tid;
	struct memory memory;
	struct maps maps;
	struct modules modules;
	struct unwinder *unwinder;
	/* old_function of the victim */
	struct addr_range old;
	upatch_addr_t signal_return;
	/* of the stopped thread */
	struct arch_regs regs;
	struct stack_bounds bounds;
	unsigned char *bytes;
	struct stack_copy copy;
};

/*
 * Starts the victim (see victims/stack_victim.c) and stops its thread where it
 * waits.  Fails the test if that is not possible.
 */
void stack_target_start(struct stack_target *target, const char *wait,
			const char *place, const char *thread);
/* Lets the thread go on. */
void stack_target_resume(struct stack_target *target);
/* Stops it again and reads its registers and its stack. */
void stack_target_interrupt(struct stack_target *target);
void stack_target_end(struct stack_target *target);

void stack_target_walk(struct stack_target *target,
		       struct unwind_walk *ret_walk);
/* The verdict about old_function. */
void stack_target_check(struct stack_target *target,
			struct stack_verdict *ret_verdict);

#endif
