/* SPDX-License-Identifier: MIT */
/* Walks of the stacks of real threads. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "arch/frame.h"
#include "stack_target.h"

TestSuite(unwind, .timeout = 60);

/* --- Return addresses -------------------------------------------------- */

Test(unwind, return_address_stands_behind_a_call)
{
	/* clang-format off */
	static const struct {
		const char *text;
		uint8_t bytes[ARCH_CALL_MAX];
		bool is_call;
	} cases[] = {
		{ "call rel32", { 0x90, 0x90, 0xe8, 1, 2, 3, 4 }, true },
		{ "jmp rel32 of a site", { 0x90, 0x90, 0xe9, 1, 2, 3, 4 }, true },
		{ "call *%rax", { 0, 0, 0, 0, 0, 0xff, 0xd0 }, true },
		{ "call *%r10", { 0, 0, 0, 0, 0x41, 0xff, 0xd2 }, true },
		{ "call *(%rax)", { 0, 0, 0, 0, 0, 0xff, 0x10 }, true },
		{ "call *(%rsp)", { 0, 0, 0, 0, 0xff, 0x14, 0x24 }, true },
		{ "call *8(%rax)", { 0, 0, 0, 0, 0xff, 0x50, 8 }, true },
		{ "call *8(%rsp)", { 0, 0, 0, 0xff, 0x54, 0x24, 8 }, true },
		{ "call *x(%rip)", { 0, 0xff, 0x15, 1, 2, 3, 4 }, true },
		{ "call *x(%rbx)", { 0, 0xff, 0x93, 1, 2, 3, 4 }, true },
		{ "call *x(%rsp)", { 0xff, 0x94, 0x24, 1, 2, 3, 4 }, true },
		{ "call *x(,%rax,8)", { 0xff, 0x14, 0xc5, 1, 2, 3, 4 }, true },
		{ "nop", { 0x0f, 0x1f, 0x80, 0, 0, 0, 0 }, false },
		{ "syscall", { 0xb8, 1, 0, 0, 0, 0x0f, 0x05 }, false },
		{ "jmp *%rax", { 0, 0, 0, 0, 0, 0xff, 0xe0 }, false },
		{ "int3", { 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc }, false },
	};
	/* clang-format on */
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool is_call = arch_is_after_call(cases[i].bytes);

		cr_assert(eq(int, is_call, cases[i].is_call), "%s",
			  cases[i].text);
	}
}

/* --- Walks ------------------------------------------------------------- */

static size_t count_signal_frames(const struct unwind_walk *walk)
{
	size_t i, count = 0;

	for (i = 0; i < walk->count; i++)
		count += walk->frames[i].is_signal_frame;
	return count;
}

static bool shows(const struct unwind_walk *walk,
		  const struct addr_range *range)
{
	size_t i;

	for (i = 0; i < walk->count; i++) {
		if (addr_range_has(range, unwind_frame_at(&walk->frames[i])))
			return true;
	}
	return false;
}

Test(unwind, walk_ends_where_it_should)
{
	/* clang-format off */
	static const struct {
		const char *wait, *place, *thread;
		enum unwind_end end;
		size_t signal_frames;
		bool shows_old;
	} cases[] = {
		{ "read", "in", "main", UNWIND_OUTERMOST, 0, true },
		{ "read", "in", "thread", UNWIND_OUTERMOST, 0, true },
		{ "read", "out", "thread", UNWIND_OUTERMOST, 0, false },
		{ "read", "stale", "thread", UNWIND_OUTERMOST, 0, false },
		{ "spin", "in", "thread", UNWIND_OUTERMOST, 0, true },
		{ "malloc", "in", "thread", UNWIND_OUTERMOST, 0, true },
		{ "cond", "in", "main", UNWIND_OUTERMOST, 0, true },
		{ "qsort", "in", "main", UNWIND_OUTERMOST, 0, true },
		{ "exit", "in", "main", UNWIND_OUTERMOST, 0, true },
		{ "handler", "in", "main", UNWIND_OUTERMOST, 1, true },
		{ "handler", "in", "thread", UNWIND_OUTERMOST, 1, true },
		{ "altstack", "in", "thread", UNWIND_OUTERMOST, 1, true },
		{ "datastack", "in", "main", UNWIND_OUTERMOST, 1, true },
		{ "innerstack", "in", "thread", UNWIND_OUTERMOST, 1, true },
		{ "coroutine", "in", "main", UNWIND_CONTEXT, 0, false },
		{ "coroutine-in-old", "out", "thread", UNWIND_CONTEXT, 0, true },
		{ "untabled", "in", "thread", UNWIND_NO_TABLE, 0, false },
	};
	/* clang-format on */
	struct stack_target target;
	struct unwind_walk walk;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *name = cases[i].wait;

		stack_target_start(&target, name, cases[i].place,
				   cases[i].thread);
		stack_target_walk(&target, &walk);
		cr_expect(eq(int, walk.end, cases[i].end), "%s", name);
		cr_expect(eq(sz, count_signal_frames(&walk),
			     cases[i].signal_frames),
			  "%s", name);
		cr_expect(eq(int, shows(&walk, &target.old),
			     cases[i].shows_old),
			  "%s", name);
		stack_target_end(&target);
	}
}

Test(unwind, pc_of_what_a_signal_interrupted_is_exact)
{
	struct stack_target target;
	struct unwind_walk walk;
	size_t i;

	stack_target_start(&target, "handler", "in", "thread");
	stack_target_walk(&target, &walk);
	cr_assert(walk.frames[0].pc_is_exact);
	for (i = 1; i < walk.count; i++) {
		bool is_interrupted = walk.frames[i - 1].is_signal_frame;

		cr_assert(eq(int, walk.frames[i].pc_is_exact, is_interrupted));
		if (walk.frames[i].is_signal_frame)
			cr_assert(eq(u64, walk.frames[i].pc,
				     target.signal_return));
	}
	stack_target_end(&target);
}

Test(unwind, frames_grow_and_know_where_their_code_begins)
{
	struct stack_target target;
	struct unwind_walk walk;
	size_t i;

	stack_target_start(&target, "read", "in", "main");
	stack_target_walk(&target, &walk);
	for (i = 0; i < walk.count; i++) {
		cr_assert(ne(u64, walk.frames[i].code_start, 0));
		cr_assert(le(u64, walk.frames[i].code_start,
			     unwind_frame_at(&walk.frames[i])));
		if (i > 0)
			cr_assert(gt(u64, walk.frames[i].sp,
				     walk.frames[i - 1].sp));
	}
	stack_target_end(&target);
}

Test(unwind, captured_stack_is_enough)
{
	struct stack_target target;
	struct unwind_walk walk;

	stack_target_start(&target, "read", "in", "thread");
	stack_target_resume(&target);
	unwind_walk(target.unwinder, &target.regs, &target.copy, false, &walk);
	cr_assert(eq(int, walk.end, UNWIND_OUTERMOST));
	cr_assert(shows(&walk, &target.old));
	stack_target_interrupt(&target);
	stack_target_end(&target);
}

Test(unwind, stack_that_was_not_captured_is_not_read_from_a_running_thread)
{
	struct stack_target target;
	struct unwind_walk walk;
	struct stack_copy nothing = { 0 };

	stack_target_start(&target, "datastack", "in", "thread");
	unwind_walk(target.unwinder, &target.regs, &nothing, true, &walk);
	cr_assert(eq(int, walk.end, UNWIND_OUTERMOST));
	unwind_walk(target.unwinder, &target.regs, &nothing, false, &walk);
	cr_assert(eq(int, walk.end, UNWIND_BAD_FRAME));
	stack_target_end(&target);
}

Test(unwind, without_modules_nothing_is_guessed)
{
	struct stack_target target;
	struct unwind_walk walk;
	struct upatch_error err;

	stack_target_start(&target, "read", "in", "thread");
	cr_assert(
		eq(int, unwind_set_modules(target.unwinder, NULL, 0, &err), 0));
	stack_target_walk(&target, &walk);
	cr_assert(eq(int, walk.end, UNWIND_NO_TABLE));
	cr_assert(eq(sz, walk.count, 1));
	stack_target_end(&target);
}

/* A return address that was changed to a function's start is no frame. */
Test(unwind, address_that_no_call_returns_to_ends_the_walk)
{
	struct stack_target target;
	struct unwind_walk walk;
	uint64_t word;
	size_t offset, changed = 0;

	stack_target_start(&target, "read", "in", "thread");
	for (offset = 0; stack_copy_word(&target.copy, offset, &word);
	     offset += sizeof(word)) {
		if (word <= target.old.start || word > target.old.end)
			continue;
		memcpy(target.bytes + offset, &target.old.start, sizeof(word));
		changed++;
	}
	cr_assert(eq(sz, changed, 1));
	stack_target_walk(&target, &walk);
	cr_assert(not(unwind_is_complete(&walk)));
	stack_target_end(&target);
}

/* Every word of a captured stack is corrupted in turn. */
Test(unwind, corrupted_stack_never_hangs_or_crashes)
{
	static const uint64_t values[] = { 0, 1, UINT64_MAX, 0x7fffffffe000 };
	struct stack_target target;
	struct unwind_walk walk;
	uint64_t word, saved;
	size_t offset, i;

	stack_target_start(&target, "handler", "in", "thread");
	for (offset = 0; stack_copy_word(&target.copy, offset, &saved);
	     offset += sizeof(word)) {
		for (i = 0; i < 5; i++) {
			word = i < 4 ? values[i] : target.copy.base;
			memcpy(target.bytes + offset, &word, sizeof(word));
			stack_target_walk(&target, &walk);
			cr_assert(le(sz, walk.count, UNWIND_FRAMES_MAX));
		}
		memcpy(target.bytes + offset, &saved, sizeof(saved));
	}
	stack_target_end(&target);
}

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

Test(unwind, walk_takes_microseconds)
{
	struct stack_target target;
	struct unwind_walk walk;
	double start, first, later;
	int i;

	stack_target_start(&target, "qsort", "in", "main");
	start = now_us();
	stack_target_walk(&target, &walk);
	first = now_us() - start;
	start = now_us();
	for (i = 0; i < 100; i++)
		stack_target_walk(&target, &walk);
	later = (now_us() - start) / 100;
	cr_log_info("%zu frames: %.0f us first, %.1f us later", walk.count,
		    first, later);
	/* far above what is measured, far below a ptrace call per word */
	cr_assert(lt(dbl, later, 5000.0));
	stack_target_end(&target);
}
