/* SPDX-License-Identifier: MIT */
/* Is a function on the stack of a stopped thread? */
#include "stack_check.h"

#include <stdlib.h>

#include "arch/arch_thread.h"
#include "arch/frame.h"
#include "present_pages.h"

#define WORD_LEN sizeof(uint64_t)
/* Of a foreign stack; what lies further out the unwinder reads itself. */
#define FOREIGN_LIVE_MAX (64UL * 1024)
/* A larger one is taken for unknown memory around a control block. */
#define OWN_STACK_MAX (64UL * 1024 * 1024)
#define OWN_PART_LEN  (64UL * 1024)
#define PAGE_LEN      4096UL

/* --- Where a thread's stack is ----------------------------------------- */

static bool find_mapping(const struct stack_maps *maps, upatch_addr_t addr,
			 struct addr_range *ret_mapping)
{
	return maps->mapping(maps->user, addr, ret_mapping);
}

/* [stack] may have grown down to `sp` after the map was read. */
static bool has_grown_to(const struct stack_maps *maps, upatch_addr_t sp)
{
	struct addr_range mapping;

	return sp < maps->main_stack.start &&
	       maps->main_stack.start - sp < OWN_STACK_MAX &&
	       !find_mapping(maps, sp, &mapping);
}

static struct addr_range find_own_stack(const struct arch_regs *regs,
					bool is_main_thread,
					const struct stack_maps *maps)
{
	upatch_addr_t sp = arch_regs_sp(regs);
	upatch_addr_t limit = arch_regs_thread_pointer(regs);
	struct addr_range own = { 0, 0 };

	if (is_main_thread) {
		own = maps->main_stack;
		if (has_grown_to(maps, sp))
			own.start = sp & ~(WORD_LEN - 1);
		return own;
	}
	if (find_mapping(maps, limit, &own))
		own.end = limit;
	return own;
}

void stack_bounds_find(const struct arch_regs *regs, bool is_main_thread,
		       const struct stack_maps *maps,
		       struct stack_bounds *ret_bounds)
{
	upatch_addr_t sp = arch_regs_sp(regs) & ~(WORD_LEN - 1);
	struct addr_range own = find_own_stack(regs, is_main_thread, maps);
	struct addr_range live = { sp, own.end };
	bool is_own = addr_range_has(&own, sp) && own.end - sp <= OWN_STACK_MAX;
	struct addr_range mapping;

	if (!is_own) {
		live.end = find_mapping(maps, sp, &mapping) ? mapping.end : sp;
		if (live.end - sp > FOREIGN_LIVE_MAX)
			live.end = sp + FOREIGN_LIVE_MAX;
	}
	*ret_bounds = (struct stack_bounds){
		.is_own = is_own,
		.live = live,
		.own = own,
	};
}

/* --- What is looked for ------------------------------------------------ */

const char *stack_reason_text(enum stack_reason reason)
{
	switch (reason) {
	case STACK_SAFE:
		return "safe";
	case STACK_ON_STACK:
		return "on-stack";
	case STACK_IN_GATE:
		return "in-gate";
	case STACK_NO_UNWIND:
		return "no-unwind";
	case STACK_FOREIGN:
		return "foreign-stack";
	case STACK_UNREADABLE:
		return "unreadable-stack";
	}
	return "unknown";
}

/*
 * The values of words that need a closer look: return addresses, (start, end],
 * and interrupted pcs, [start, end).
 */
int stack_check_init(struct stack_check *check, const struct stack_query *query,
		     struct upatch_error *err)
{
	size_t count = 0, i;
	struct addr_range *ranges =
		calloc(query->function_count + query->gate_count + 1,
		       sizeof(*ranges));

	if (!ranges)
		return error_set(
			err, UPATCH_ERROR_NO_MEMORY, 0,
			"cannot prepare the stack check: out of memory");
	for (i = 0; i < query->function_count; i++) {
		const struct addr_range *function = &query->functions[i];

		if (function->start < function->end)
			ranges[count++] =
				(struct addr_range){ function->start,
						     function->end + 1 };
	}
	for (i = 0; i < query->gate_count; i++)
		ranges[count++] = query->gates[i];
	if (query->signal_return != 0)
		ranges[count++] =
			(struct addr_range){ query->signal_return,
					     query->signal_return + 1 };
	count = stack_scan_sort(ranges, count);
	check->query = *query;
	check->ranges = ranges;
	stack_scan_init(&check->values, ranges, count);
	return 0;
}

void stack_check_fini(struct stack_check *check)
{
	free(check->ranges);
	*check = (struct stack_check){ 0 };
}

static bool find_range(const struct addr_range *ranges, size_t count,
		       upatch_addr_t addr, size_t *ret_index)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (!addr_range_has(&ranges[i], addr))
			continue;
		*ret_index = i;
		return true;
	}
	return false;
}

/* --- Frames ------------------------------------------------------------ */

/* What a frame at `pc` means; STACK_SAFE: nothing that is looked for. */
static enum stack_reason judge_frame(const struct stack_query *query,
				     const struct unwind_frame *frame,
				     size_t *ret_index)
{
	if (find_range(query->functions, query->function_count,
		       unwind_frame_at(frame), ret_index))
		return STACK_ON_STACK;
	if (frame->pc_is_exact &&
	    find_range(query->gates, query->gate_count, frame->pc, ret_index))
		return STACK_IN_GATE;
	return STACK_SAFE;
}

static bool judge_pc(const struct stack_query *query,
		     const struct arch_regs *regs,
		     struct stack_verdict *verdict)
{
	struct unwind_frame frame = { .pc = arch_regs_pc(regs),
				      .pc_is_exact = true };

	verdict->reason = judge_frame(query, &frame, &verdict->range_index);
	if (verdict->reason == STACK_SAFE)
		return false;
	verdict->is_pc = true;
	verdict->addr = frame.pc;
	return true;
}

static bool judge_walk(const struct stack_query *query,
		       struct stack_verdict *verdict)
{
	size_t i;

	for (i = 0; i < verdict->walk.count; i++) {
		const struct unwind_frame *frame = &verdict->walk.frames[i];

		verdict->reason =
			judge_frame(query, frame, &verdict->range_index);
		if (verdict->reason == STACK_SAFE)
			continue;
		verdict->addr = frame->pc;
		return true;
	}
	return false;
}

/* --- Words ------------------------------------------------------------- */

/*
 * The word may be the start of a signal frame.  If the interrupted stack
 * pointer is between the frame and the stack's end, what was interrupted is
 * part of what is scanned.  If the alternate signal stack is, say, an array in
 * main, it is not: it lies below sp, and only a walk comes there.
 */
static bool leads_elsewhere(const struct stack_thread *thread, size_t offset)
{
	upatch_addr_t frame = thread->copy.base + offset;
	uint64_t sp;

	/* a signal frame does not reach beyond its stack */
	if (thread->copy.len - offset < ARCH_SIGNAL_FRAME_HEAD_LEN ||
	    !arch_read_signal_frame(thread->copy.bytes + offset, &sp))
		return false;
	return sp <= frame || sp > thread->bounds.live.end;
}

static bool is_signal_return(const struct stack_check *check, uint64_t word)
{
	return check->query.signal_return != 0 &&
	       word == check->query.signal_return;
}

/* No word asks for a walk; `thread`: nor does a signal frame. */
static bool copy_is_clean(const struct stack_check *check,
			  const struct stack_copy *copy,
			  const struct stack_thread *thread)
{
	size_t from = 0, offset;
	uint64_t word;

	while (stack_scan_find(&check->values, copy, from, &offset)) {
		from = offset + WORD_LEN;
		if (!stack_copy_word(copy, offset, &word) ||
		    !is_signal_return(check, word) ||
		    (thread && leads_elsewhere(thread, offset)))
			return false;
	}
	return true;
}

/*
 * A return address can be in a register for a few instructions: vfork(3) keeps
 * it there, and code that calls to learn its own address.
 */
static bool registers_are_clean(const struct stack_check *check,
				const struct arch_regs *regs)
{
	uint64_t values[ARCH_GENERAL_COUNT];
	size_t i;

	arch_regs_general(regs, values);
	for (i = 0; i < ARCH_GENERAL_COUNT; i++) {
		if (stack_scan_has(&check->values, values[i]) &&
		    !is_signal_return(check, values[i]))
			return false;
	}
	return true;
}

static bool part_is_clean(const struct stack_check *check,
			  const struct memory *memory, struct addr_range part,
			  unsigned char *buf)
{
	struct stack_copy copy = { .base = part.start, .bytes = buf };

	for (; copy.base < part.end; copy.base += copy.len) {
		copy.len = part.end - copy.base < OWN_PART_LEN
				   ? part.end - copy.base
				   : OWN_PART_LEN;
		if (memory_read_some(memory, copy.base, buf, copy.len) !=
			    copy.len ||
		    !copy_is_clean(check, &copy, NULL))
			return false;
	}
	return true;
}

/* Of eight megabytes, a few pages are there; the thread waits meanwhile. */
static bool present_part_is_clean(const struct stack_check *check,
				  const struct memory *memory,
				  const struct addr_range *own,
				  struct present_pages *pages,
				  unsigned char *buf)
{
	const upatch_addr_t end = (own->end + PAGE_LEN - 1) & ~(PAGE_LEN - 1);
	upatch_addr_t at = own->start & ~(PAGE_LEN - 1);
	struct addr_range part;
	enum present present;

	for (;;) {
		present = present_pages_next(pages, at, end, &part);
		if (present != PRESENT_SOME)
			return present == PRESENT_NONE;
		at = part.end;
		if (part.start < own->start)
			part.start = own->start;
		if (part.end > own->end)
			part.end = own->end;
		if (!part_is_clean(check, memory, part, buf))
			return false;
	}
}

/* All of the thread's own stack, the dead part below its frames included. */
static bool own_stack_is_clean(const struct stack_check *check,
			       const struct memory *memory,
			       const struct stack_bounds *bounds)
{
	const struct addr_range *own = &bounds->own;
	struct present_pages pages;
	unsigned char *buf;
	bool is_clean;

	if (own->end - own->start > OWN_STACK_MAX)
		return false;
	buf = malloc(OWN_PART_LEN);
	if (!buf)
		return false;
	if (bounds->own_is_private) {
		present_pages_open(&pages, memory->pid);
		is_clean =
			present_part_is_clean(check, memory, own, &pages, buf);
		present_pages_close(&pages);
	} else {
		is_clean = part_is_clean(check, memory, *own, buf);
	}
	free(buf);
	return is_clean;
}

/* --- The check --------------------------------------------------------- */

/*
 * The walk came to the start of the thread, on the thread's own stack: it has
 * shown all there is, also where it began on another stack.
 */
static bool walk_covers_thread(const struct unwind_walk *walk,
			       const struct stack_bounds *bounds)
{
	upatch_addr_t sp = walk->frames[walk->count - 1].sp;

	return walk->end == UNWIND_OUTERMOST && sp >= bounds->own.start &&
	       sp <= bounds->own.end;
}

static enum stack_reason judge_rest(const struct stack_check *check,
				    const struct memory *memory,
				    const struct stack_bounds *bounds,
				    const struct unwind_walk *walk)
{
	if (!unwind_is_complete(walk))
		return STACK_NO_UNWIND;
	if (walk_covers_thread(walk, bounds))
		return STACK_SAFE;
	/* A thread without a stack that is known has been walked to its start. */
	if (bounds->own.start == bounds->own.end)
		return walk->end == UNWIND_OUTERMOST ? STACK_SAFE
						     : STACK_FOREIGN;
	return own_stack_is_clean(check, memory, bounds) ? STACK_SAFE
							 : STACK_FOREIGN;
}

/*
 * The handler has returned to __restore_rt: the word that would tell of its
 * frame is no longer on the stack, but the frame is.
 */
static bool leaves_handler(const struct stack_check *check,
			   const struct arch_regs *regs)
{
	return check->query.signal_return != 0 &&
	       arch_regs_pc(regs) - check->query.signal_return <=
		       arch_sigreturn_code_len;
}

static bool has_what_counts(const struct stack_thread *thread)
{
	const struct addr_range *live = &thread->bounds.live;

	if (!thread->bounds.is_own)
		return thread->is_stopped;
	return thread->copy.base == live->start &&
	       thread->copy.len >= live->end - live->start;
}

void stack_check_thread(const struct stack_check *check,
			struct unwinder *unwinder, const struct memory *memory,
			const struct stack_thread *thread,
			struct stack_verdict *ret_verdict)
{
	const struct stack_bounds *bounds = &thread->bounds;

	*ret_verdict = (struct stack_verdict){ 0 };
	if (judge_pc(&check->query, thread->regs, ret_verdict))
		return;
	if (!has_what_counts(thread)) {
		ret_verdict->reason = STACK_UNREADABLE;
		return;
	}
	if (bounds->is_own && !leaves_handler(check, thread->regs) &&
	    copy_is_clean(check, &thread->copy, thread) &&
	    registers_are_clean(check, thread->regs))
		return;
	unwind_walk(unwinder, thread->regs, &thread->copy, thread->is_stopped,
		    &ret_verdict->walk);
	ret_verdict->has_walk = true;
	if (!judge_walk(&check->query, ret_verdict))
		ret_verdict->reason =
			judge_rest(check, memory, bounds, &ret_verdict->walk);
}
