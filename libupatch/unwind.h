/* SPDX-License-Identifier: MIT */
/*
 * Walks the stack of a thread that does not run, by the unwind tables
 * (.eh_frame) that stand in the target's memory.  No file is read and no ptrace
 * call is made.
 *
 * Nothing is guessed: where there is no table, or where what it says cannot
 * be, the walk ends and is not complete.  In particular frame pointers are not
 * followed, and a return address must stand behind a call.
 */
#ifndef UPATCH_UNWIND_H
#define UPATCH_UNWIND_H

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"
#include "arch/regs.h"
#include "error.h"
#include "memory.h"
#include "stack_scan.h"

/* What is needed of a loaded object, of the vdso, or of gates with tables. */
struct unwind_module {
	upatch_addr_t start, end;
	/* PT_GNU_EH_FRAME; 0: none */
	upatch_addr_t eh_frame_hdr;
	size_t eh_frame_hdr_len;
};

#define UNWIND_FRAMES_MAX 4096

struct unwind_frame {
	upatch_addr_t pc;
	/* the stack pointer when execution goes on at pc */
	upatch_addr_t sp;
	/* first instruction of what the table describes here; 0: no table */
	upatch_addr_t code_start;
	/*
	 * True: execution goes on at pc, in the innermost frame and in what a
	 * signal interrupted.  False: pc is a return address, what runs is the
	 * call before it.
	 */
	bool pc_is_exact;
	/* the return of a signal handler; the next frame was interrupted */
	bool is_signal_frame;
};

/* The instruction that the frame is at, for looking up what it is in. */
static inline upatch_addr_t unwind_frame_at(const struct unwind_frame *frame)
{
	return frame->pc_is_exact ? frame->pc : frame->pc - 1;
}

enum unwind_end {
	/* the table says that this frame has no caller: _start, clone, clone3 */
	UNWIND_OUTERMOST,
	/* the first frame of a context that makecontext(3) made */
	UNWIND_CONTEXT,
	/* From here on the walk is not complete. */
	UNWIND_NO_TABLE,  /* no unwind table for the last frame's pc */
	UNWIND_BAD_FRAME, /* what the table leads to cannot be a frame */
	UNWIND_TOO_DEEP,  /* more than UNWIND_FRAMES_MAX frames */
};

struct unwind_walk {
	const struct unwind_frame *frames; /* innermost first, at least one */
	size_t count;
	enum unwind_end end;
};

static inline bool unwind_is_complete(const struct unwind_walk *walk)
{
	return walk->end == UNWIND_OUTERMOST || walk->end == UNWIND_CONTEXT;
}

/* One per operation and thread of ours; opaque. */
struct unwinder;

/* `memory` must outlive the unwinder.  Release with unwind_close. */
UPATCH_MUST_CHECK int unwind_open(const struct memory *memory,
				  struct unwinder **ret_unwinder,
				  struct upatch_error *err);
/* NULL is allowed. */
void unwind_close(struct unwinder *unwinder);

/*
 * From now on these modules are there, in any order; they are copied.  All
 * that was remembered of the target is forgotten.  After a failure there are
 * no modules.
 */
UPATCH_MUST_CHECK int unwind_set_modules(struct unwinder *unwinder,
					 const struct unwind_module *modules,
					 size_t count,
					 struct upatch_error *err);

/*
 * Walks from `regs` outwards.  What lies in `stack` is taken from there; with
 * `is_stopped`, the thread is still stopped and other stacks are read from the
 * target.  The frames are the unwinder's and are overwritten by the next walk.
 */
void unwind_walk(struct unwinder *unwinder, const struct arch_regs *regs,
		 const struct stack_copy *stack, bool is_stopped,
		 struct unwind_walk *ret_walk);

#endif
