/* SPDX-License-Identifier: MIT */
/* Verdicts about real threads, and about captured stacks. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <string.h>

#include "stack_target.h"

TestSuite(stack_check, .timeout = 60);

/* --- Real threads ------------------------------------------------------ */

Test(stack_check, verdict_about_threads_in_many_places)
{
	/* clang-format off */
	static const struct {
		const char *wait, *place, *thread;
		enum stack_reason reason;
		bool has_walk;
	} cases[] = {
		{ "read", "out", "main", STACK_SAFE, false },
		{ "read", "out", "thread", STACK_SAFE, false },
		{ "read", "in", "main", STACK_ON_STACK, true },
		{ "read", "in", "thread", STACK_ON_STACK, true },
		{ "read", "stale", "main", STACK_SAFE, true },
		{ "read", "stale", "thread", STACK_SAFE, true },
		{ "spin", "in", "thread", STACK_ON_STACK, true },
		{ "spin", "out", "thread", STACK_SAFE, false },
		{ "malloc", "in", "main", STACK_ON_STACK, true },
		/* no table: right without a walk, blocked where one is needed */
		{ "untabled", "out", "thread", STACK_SAFE, false },
		{ "untabled", "in", "thread", STACK_NO_UNWIND, true },
		{ "untabled", "stale", "thread", STACK_NO_UNWIND, true },
		/* a handler on the same stack is scanned through */
		{ "handler", "out", "thread", STACK_SAFE, false },
		{ "handler", "in", "thread", STACK_ON_STACK, true },
		{ "handler", "stale", "main", STACK_SAFE, true },
		/* other stacks need a walk */
		{ "altstack", "out", "thread", STACK_SAFE, true },
		{ "altstack", "in", "main", STACK_ON_STACK, true },
		{ "datastack", "out", "main", STACK_SAFE, true },
		{ "datastack", "in", "thread", STACK_ON_STACK, true },
		/* the function lies below the stack pointer */
		{ "innerstack", "out", "thread", STACK_SAFE, true },
		{ "innerstack", "in", "thread", STACK_ON_STACK, true },
		{ "innerstack", "in", "main", STACK_ON_STACK, true },
		/* the own stack waits for the coroutine to come back */
		{ "coroutine", "out", "thread", STACK_SAFE, true },
		{ "coroutine", "in", "main", STACK_FOREIGN, true },
		{ "coroutine", "in", "thread", STACK_FOREIGN, true },
		{ "coroutine-in-old", "out", "main", STACK_ON_STACK, true },
	};
	/* clang-format on */
	struct stack_target target;
	struct stack_verdict verdict;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		stack_target_start(&target, cases[i].wait, cases[i].place,
				   cases[i].thread);
		stack_target_check(&target, &verdict);
		cr_expect(eq(int, verdict.reason, cases[i].reason),
			  "%s %s %s: %s", cases[i].wait, cases[i].place,
			  cases[i].thread, stack_reason_text(verdict.reason));
		cr_expect(eq(int, verdict.has_walk, cases[i].has_walk),
			  "%s %s %s", cases[i].wait, cases[i].place,
			  cases[i].thread);
		/* Only the pages that are there are read. */
		target.bounds.own_is_private = true;
		stack_target_check(&target, &verdict);
		cr_expect(eq(int, verdict.reason, cases[i].reason),
			  "%s %s %s, present: %s", cases[i].wait,
			  cases[i].place, cases[i].thread,
			  stack_reason_text(verdict.reason));
		stack_target_end(&target);
	}
}

Test(stack_check, thread_on_another_stack_must_be_stopped)
{
	struct stack_target target;
	struct stack_verdict verdict;
	struct stack_thread thread;
	struct stack_query query = { 0 };
	struct stack_check check;
	struct upatch_error err;

	stack_target_start(&target, "altstack", "out", "thread");
	thread = (struct stack_thread){ .regs = &target.regs,
					.bounds = target.bounds,
					.copy = target.copy };
	cr_assert(not(target.bounds.is_own));
	cr_assert(eq(int, stack_check_init(&check, &query, &err), 0));
	stack_check_thread(&check, target.unwinder, &target.memory, &thread,
			   &verdict);
	cr_assert(eq(int, verdict.reason, STACK_UNREADABLE));
	stack_check_fini(&check);
	stack_target_end(&target);
}

/* --- Bounds ------------------------------------------------------------ */

/* Two stacks without a guard in one mapping, [stack] in another. */
#define STACKS_START 0x7f0000000000UL
#define LOWER_TCB    0x7f0000007000UL
#define UPPER_TCB    0x7f000000f000UL
#define STACKS_END   0x7f0000010000UL
#define MAIN_START   0x7ffd00000000UL
#define MAIN_END     0x7ffd00020000UL

static bool find_mapping(void *user, upatch_addr_t addr,
			 struct addr_range *ret_mapping)
{
	static const struct addr_range mappings[] = {
		{ STACKS_START, STACKS_END },
		{ MAIN_START, MAIN_END },
	};
	size_t i;

	(void)user;
	for (i = 0; i < 2; i++) {
		if (!addr_range_has(&mappings[i], addr))
			continue;
		*ret_mapping = mappings[i];
		return true;
	}
	return false;
}

static struct stack_bounds
find_bounds(upatch_addr_t sp, upatch_addr_t thread_pointer, bool is_main_thread)
{
	struct stack_maps maps = {
		.mapping = find_mapping,
		.main_stack = { MAIN_START, MAIN_END },
	};
	struct arch_regs regs = { 0 };
	struct stack_bounds bounds;

	regs.user.rsp = sp;
	regs.user.fs_base = thread_pointer;
	stack_bounds_find(&regs, is_main_thread, &maps, &bounds);
	return bounds;
}

Test(stack_check, own_stack_ends_at_the_control_block)
{
	struct stack_bounds bounds =
		find_bounds(STACKS_START + 0x100, LOWER_TCB, false);

	cr_assert(bounds.is_own);
	cr_assert(eq(u64, bounds.live.start, STACKS_START + 0x100));
	cr_assert(eq(u64, bounds.live.end, LOWER_TCB));
	bounds = find_bounds(LOWER_TCB + 0x800, LOWER_TCB, false);
	cr_assert(not(bounds.is_own));
}

Test(stack_check, main_thread_has_the_stack_mapping)
{
	struct stack_bounds bounds =
		find_bounds(MAIN_END - 0x104, UPPER_TCB, true);

	cr_assert(bounds.is_own);
	cr_assert(eq(u64, bounds.live.start, MAIN_END - 0x108));
	cr_assert(eq(u64, bounds.live.end, MAIN_END));
	bounds = find_bounds(UPPER_TCB - 0x800, UPPER_TCB, true);
	cr_assert(not(bounds.is_own));
	cr_assert(eq(u64, bounds.own.end, MAIN_END));
}

Test(stack_check, main_stack_may_have_grown_since)
{
	struct stack_bounds bounds =
		find_bounds(MAIN_START - 0x3000, UPPER_TCB, true);

	cr_assert(bounds.is_own);
	cr_assert(eq(u64, bounds.live.start, MAIN_START - 0x3000));
	cr_assert(eq(u64, bounds.live.end, MAIN_END));
}

Test(stack_check, thread_pointer_to_nowhere_makes_the_stack_foreign)
{
	struct stack_bounds bounds = find_bounds(STACKS_START, 0, false);

	cr_assert(not(bounds.is_own));
	cr_assert(eq(u64, bounds.own.start, bounds.own.end));
	bounds = find_bounds(0x1000, UPPER_TCB, false);
	cr_assert(not(bounds.is_own));
	cr_assert(eq(u64, bounds.live.start, bounds.live.end));
}

/* --- Captured stacks --------------------------------------------------- */

#define RESTORER 0x7ffff7a3c050UL
#define WORDS	 64

static const struct addr_range functions[] = {
	{ 0x555555556000, 0x555555556100 },
	{ 0x555555555000, 0x555555555040 },
};
static const struct addr_range gates[] = {
	{ 0x555555540000, 0x555555541000 },
};

struct captured {
	struct arch_regs regs;
	uint64_t words[WORDS];
};

static struct stack_verdict check_captured(struct captured *captured)
{
	struct stack_query query = {
		.functions = functions,
		.function_count = 2,
		.gates = gates,
		.gate_count = 1,
		.signal_return = RESTORER,
	};
	upatch_addr_t sp = LOWER_TCB - sizeof(captured->words);
	struct stack_thread thread = {
		.regs = &captured->regs,
		.bounds = { .is_own = true,
			    .live = { sp, LOWER_TCB },
			    .own = { STACKS_START, LOWER_TCB } },
		.copy = { .base = sp,
			  .bytes = (const unsigned char *)captured->words,
			  .len = sizeof(captured->words) },
	};
	struct memory memory = { .mem_fd = -1 };
	struct stack_check check;
	struct stack_verdict verdict = { 0 };
	struct unwinder *unwinder;
	struct upatch_error err;

	captured->regs.user.rsp = sp;
	cr_assert(eq(int, unwind_open(&memory, &unwinder, &err), 0));
	cr_assert(eq(int, stack_check_init(&check, &query, &err), 0));
	stack_check_thread(&check, unwinder, &memory, &thread, &verdict);
	stack_check_fini(&check);
	unwind_close(unwinder);
	return verdict;
}

Test(stack_check, pc_in_a_function_or_gate_blocks)
{
	struct captured captured = { 0 };
	struct stack_verdict verdict;

	captured.regs.user.rip = functions[1].start;
	verdict = check_captured(&captured);
	cr_assert(eq(int, verdict.reason, STACK_ON_STACK));
	cr_assert(eq(sz, verdict.range_index, 1));
	cr_assert(verdict.is_pc);
	captured.regs.user.rip = functions[1].end;
	verdict = check_captured(&captured);
	cr_assert(eq(int, verdict.reason, STACK_SAFE));
	captured.regs.user.rip = gates[0].end - 1;
	verdict = check_captured(&captured);
	cr_assert(eq(int, verdict.reason, STACK_IN_GATE));
	cr_assert(eq(sz, verdict.range_index, 0));
}

/* Nothing can be unwound here: a word that asks for a walk blocks. */
Test(stack_check, words_that_ask_for_a_walk)
{
	/* clang-format off */
	const struct {
		const char *text;
		uint64_t word;
		enum stack_reason reason;
	} cases[] = {
		{ "before", 0x555555555fff, STACK_SAFE },
		{ "start", 0x555555556000, STACK_NO_UNWIND },
		{ "inside", 0x555555556080, STACK_NO_UNWIND },
		{ "return behind a last call", 0x555555556100, STACK_NO_UNWIND },
		{ "after", 0x555555556101, STACK_SAFE },
		{ "other function", 0x555555555001, STACK_NO_UNWIND },
		{ "gate", 0x555555540000, STACK_NO_UNWIND },
		{ "after the gates", 0x555555541000, STACK_SAFE },
	};
	/* clang-format on */
	size_t i, place;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (place = 0; place < WORDS; place++) {
			struct captured captured = { 0 };
			struct stack_verdict verdict;

			captured.words[place] = cases[i].word;
			verdict = check_captured(&captured);
			cr_assert(eq(int, verdict.reason, cases[i].reason),
				  "%s", cases[i].text);
		}
	}
}

Test(stack_check, return_address_in_a_register_counts)
{
	struct captured captured = { 0 };
	struct stack_verdict verdict;

	captured.regs.user.rdi = functions[0].start + 4;
	verdict = check_captured(&captured);
	cr_assert(eq(int, verdict.reason, STACK_NO_UNWIND));
}

/* Words of struct rt_sigframe: the ucontext's rsp, and cs. */
#define FRAME_RSP 21
#define FRAME_CS  24

Test(stack_check, handler_of_another_stack_asks_for_a_walk)
{
	/* clang-format off */
	const struct {
		const char *text;
		uint64_t sp, cs;
		enum stack_reason reason;
	} cases[] = {
		{ "on this stack", LOWER_TCB - 16, 0x33, STACK_SAFE },
		{ "below its frame", LOWER_TCB - 8 * WORDS, 0x33,
		  STACK_NO_UNWIND },
		{ "elsewhere", UPPER_TCB, 0x33, STACK_NO_UNWIND },
		{ "with other segments", UPPER_TCB, 0x002b000000000033,
		  STACK_NO_UNWIND },
		{ "not a frame", UPPER_TCB, 0, STACK_SAFE },
	};
	/* clang-format on */
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct captured captured = { 0 };
		struct stack_verdict verdict;

		captured.words[2] = RESTORER;
		captured.words[2 + FRAME_RSP] = cases[i].sp;
		captured.words[2 + FRAME_CS] = cases[i].cs;
		verdict = check_captured(&captured);
		cr_assert(eq(int, verdict.reason, cases[i].reason), "%s",
			  cases[i].text);
	}
}

Test(stack_check, thread_that_leaves_a_handler_is_walked)
{
	struct captured captured = { 0 };
	struct stack_verdict verdict;

	captured.regs.user.rip = RESTORER + 7;
	verdict = check_captured(&captured);
	cr_assert(eq(int, verdict.reason, STACK_NO_UNWIND));
	captured.regs.user.rip = RESTORER + 16;
	verdict = check_captured(&captured);
	cr_assert(eq(int, verdict.reason, STACK_SAFE));
}

Test(stack_check, return_of_handlers_at_the_end_is_no_frame)
{
	struct captured captured = { 0 };
	struct stack_verdict verdict;

	captured.words[WORDS - FRAME_CS] = RESTORER;
	verdict = check_captured(&captured);
	cr_assert(eq(int, verdict.reason, STACK_SAFE));
}

Test(stack_check, every_reason_has_a_text)
{
	enum stack_reason reason;

	for (reason = STACK_SAFE; reason <= STACK_UNREADABLE; reason++) {
		bool has_text =
			strcmp(stack_reason_text(reason), "unknown") != 0;

		cr_assert(has_text);
	}
}
