/* SPDX-License-Identifier: MIT */
/* The jump at a site, and what a gate does to the thread that takes it. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "arch/arch.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* gate_registers.S knows the offsets. */
struct gate_registers {
	uint64_t general[16];
	uint64_t flags;
};
void gate_call(struct gate_registers *in, struct gate_registers *out,
	       uint64_t code);
void gate_reach_first(void);
void gate_reach_second(void);
void gate_reach_third(void);
extern int gate_reached;

/* CF PF AF ZF SF OF */
#define ARITHMETIC_FLAGS 0x8d5
#define DIRECTION_FLAG	 0x400
#define OTHER_FLAGS	 0x202 /* reserved bit, IF */

/* --- Bytes ------------------------------------------------------------ */

Test(gate, jump_leads_to_its_target)
{
	/* clang-format off */
	static const struct {
		upatch_addr_t from, to;
		uint8_t bytes[ARCH_JUMP_LEN];
	} jumps[] = {
		{ 0x401000, 0x501000, { 0xe9, 0xfb, 0xff, 0x0f, 0x00 } },
		{ 0x501000, 0x401000, { 0xe9, 0xfb, 0xff, 0xef, 0xff } },
		{ 0x401000, 0x401000 + ARCH_JUMP_REACH,
		  { 0xe9, 0xfb, 0xff, 0xfe, 0x7f } },
		{ 0x7fff00000000, 0x7fff00000000 - ARCH_JUMP_REACH,
		  { 0xe9, 0xfb, 0xff, 0x00, 0x80 } },
	};
	/* clang-format on */

	for (size_t i = 0; i < COUNT(jumps); i++) {
		uint8_t buf[ARCH_JUMP_LEN + 1] = { 0 };
		int difference;

		arch_emit_jump(buf, jumps[i].from, jumps[i].to);
		difference = memcmp(buf, jumps[i].bytes, ARCH_JUMP_LEN);
		cr_expect(eq(int, difference, 0), "row %zu", i);
		cr_expect(eq(u8, buf[ARCH_JUMP_LEN], 0), "row %zu", i);
	}
}

static const struct arch_gate sample = {
	.code = 0x401000,
	.slot = 0x402000,
	.source = 0x402008,
	.destination = 0x402010,
	.transition = 0x40201c,
	.moved_offset = -8,
	.self_move = 0x402020,
};

Test(gate, bytes_are_as_written_beside_them)
{
	/* clang-format off */
	static const uint8_t expected[ARCH_GATE_LEN] = {
		0xff, 0x25, 0xfa, 0x0f, 0, 0,          /* jmp *slot(%rip) */
		0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc,
		0x64, 0x83, 0x3c, 0x25, 0xfc, 0xff, 0xff, 0xff, 0x00, /* cmpl $0, %fs:-4 */
		0x75, 0x1e,                            /* jne 2f */
		0x50,                                  /* push %rax */
		0x64, 0x8b, 0x04, 0x25, 0xf8, 0xff, 0xff, 0xff, /* mov %fs:-8, %eax */
		0x3b, 0x05, 0xf2, 0x0f, 0, 0,          /* cmp transition(%rip), %eax */
		0x58,                                  /* pop %rax */
		0x75, 0x06,                            /* jne 1f */
		0xff, 0x25, 0xdd, 0x0f, 0, 0,          /* jmp *destination(%rip) */
		0xff, 0x25, 0xcf, 0x0f, 0, 0,          /* 1: jmp *source(%rip) */
		0x50,                                  /* 2: push %rax */
		0x48, 0x8d, 0x05, 0xbf, 0x0f, 0, 0,    /* lea slot(%rip), %rax */
		0xff, 0x25, 0xd9, 0x0f, 0, 0,          /* jmp *self_move(%rip) */
		0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc,
	};
	/* clang-format on */
	uint8_t buf[ARCH_GATE_LEN];
	struct upatch_error err = { 0 };
	int result = arch_emit_gate(&sample, buf, &err);
	struct cr_mem got = { buf, sizeof(buf) };
	struct cr_mem wanted = { expected, sizeof(expected) };

	cr_assert(eq(int, result, 0), "%s", err.message);
	cr_expect(eq(mem, got, wanted));
	cr_expect(eq(u64, arch_gate_decide(sample.code), sample.code + 16));
}

static void expect_refused(const struct arch_gate *gate, int code,
			   const char *reason)
{
	uint8_t buf[ARCH_GATE_LEN];
	struct upatch_error err = { 0 };
	int result = arch_emit_gate(gate, buf, &err);
	bool named = strstr(err.message, reason);

	cr_expect(eq(int, result, code));
	cr_expect(named, "%s", err.message);
}

Test(gate, words_must_be_aligned_and_in_reach)
{
	/* from the end of the gate's last instruction, too */
	upatch_addr_t far = sample.code + ARCH_GATE_LEN + 0x80000000;
	struct arch_gate gates[11];

	for (size_t i = 0; i < COUNT(gates); i++)
		gates[i] = sample;
	gates[0].slot += 4;
	gates[1].source += 1;
	gates[2].destination += 2;
	gates[3].transition += 2;
	gates[4].self_move += 4;
	for (int i = 0; i < 5; i++)
		expect_refused(&gates[i], UPATCH_ERROR_ARGUMENT,
			       "its words are not aligned");
	gates[5].slot = far;
	gates[6].source = far;
	gates[7].destination = far;
	gates[8].transition = far;
	gates[9].self_move = far;
	gates[10].code = 0x7f0000000000;
	for (int i = 5; i < 11; i++)
		expect_refused(&gates[i], UPATCH_ERROR_MISMATCH,
			       "cannot reach 0x");
}

/* --- Execution -------------------------------------------------------- */

static _Thread_local volatile struct {
	uint32_t moved, may_move;
} own_thread __attribute__((tls_model("initial-exec")));
#define moved own_thread.moved

/* Where %fs points is a word that holds its own address (psABI 3.4.2). */
static int32_t offset_of_moved(void)
{
	uintptr_t thread_pointer;

	__asm__("mov %%fs:0, %0" : "=r"(thread_pointer));
	return (int32_t)((intptr_t)&own_thread - (intptr_t)thread_pointer);
}

/* Code and the words that steer it, as near as in a process. */
static struct {
	uint8_t code[4096];
	uint64_t slot, source, destination, self_move;
	uint32_t transition;
} area __attribute__((aligned(4096)));

static struct arch_gate gate;

static void make_gate(void)
{
	struct upatch_error err = { 0 };
	int result = mprotect(area.code, sizeof(area.code),
			      PROT_READ | PROT_WRITE | PROT_EXEC);

	cr_assert(eq(int, result, 0));
	gate = (struct arch_gate){
		.code = (uintptr_t)area.code,
		.slot = (uintptr_t)&area.slot,
		.source = (uintptr_t)&area.source,
		.destination = (uintptr_t)&area.destination,
		.transition = (uintptr_t)&area.transition,
		.moved_offset = offset_of_moved(),
		.self_move = (uintptr_t)&area.self_move,
	};
	result = arch_emit_gate(&gate, area.code, &err);
	cr_assert(eq(int, result, 0), "%s", err.message);
	area.source = (uintptr_t)gate_reach_first;
	area.destination = (uintptr_t)gate_reach_second;
	area.transition = 7;
}

/* Takes the gate; all registers and the flags outside `mask` must survive. */
static void expect_reached(int target, uint64_t flags, uint64_t mask)
{
	struct gate_registers in = { .flags = flags | OTHER_FLAGS };
	struct gate_registers out = { 0 };

	for (uint64_t i = 0; i < 16; i++)
		in.general[i] = 0x1111111111111111 * i + 0x8000000000000001;
	gate_reached = 0;
	gate_call(&in, &out, gate.code);
	cr_expect(eq(int, gate_reached, target));
	for (int i = 0; i < 16; i++)
		cr_expect(eq(u64, out.general[i], in.general[i]), "register %d",
			  i);
	cr_expect(eq(u64, out.flags & ~mask, in.flags & ~mask));
}

static void expect_reached_with_all_flags(int target, uint64_t mask)
{
	static const uint64_t flags[] = {
		0,
		ARITHMETIC_FLAGS,
		DIRECTION_FLAG,
		ARITHMETIC_FLAGS | DIRECTION_FLAG,
		0x001,
		0x040,
		0x080,
		0x800,
	};

	for (size_t i = 0; i < COUNT(flags); i++)
		expect_reached(target, flags[i], mask);
}

Test(gate, settled_gate_changes_nothing)
{
	make_gate();
	area.slot = (uintptr_t)gate_reach_third;
	expect_reached_with_all_flags(3, 0);
	area.slot = (uintptr_t)gate_reach_first;
	expect_reached_with_all_flags(1, 0);
}

Test(gate, deciding_gate_asks_the_thread_and_changes_only_flags)
{
	make_gate();
	area.slot = arch_gate_decide(gate.code);
	moved = 0;
	expect_reached_with_all_flags(1, ARITHMETIC_FLAGS);
	moved = area.transition;
	expect_reached_with_all_flags(2, ARITHMETIC_FLAGS);
	/* of the transition before */
	moved = area.transition - 1;
	expect_reached_with_all_flags(1, ARITHMETIC_FLAGS);
}

Test(gate, reversed_transition_has_another_id_and_swapped_words)
{
	make_gate();
	area.slot = arch_gate_decide(gate.code);
	moved = area.transition;
	expect_reached(2, 0, ARITHMETIC_FLAGS);
	area.transition++;
	area.source = (uintptr_t)gate_reach_second;
	area.destination = (uintptr_t)gate_reach_first;
	expect_reached(2, 0, ARITHMETIC_FLAGS);
	moved = area.transition;
	expect_reached(1, 0, ARITHMETIC_FLAGS);
}

Test(gate, all_bits_of_the_id_count)
{
	make_gate();
	area.slot = arch_gate_decide(gate.code);
	area.transition = 0x80000001;
	moved = 0x80000001;
	expect_reached(2, 0, ARITHMETIC_FLAGS);
	moved = 1;
	expect_reached(1, 0, ARITHMETIC_FLAGS);
	moved = 0x80000000;
	expect_reached(1, 0, ARITHMETIC_FLAGS);
}

static void *take_gate_in_new_thread(void *user)
{
	(void)user;
	expect_reached(1, 0, ARITHMETIC_FLAGS);
	moved = area.transition;
	expect_reached(2, 0, ARITHMETIC_FLAGS);
	return NULL;
}

Test(gate, each_thread_has_its_own_side)
{
	pthread_t thread;
	int result;

	make_gate();
	area.slot = arch_gate_decide(gate.code);
	moved = area.transition;
	result = pthread_create(&thread, NULL, take_gate_in_new_thread, NULL);
	cr_assert(eq(int, result, 0));
	pthread_join(thread, NULL);
	expect_reached(2, 0, ARITHMETIC_FLAGS);
	moved = 0;
	expect_reached(1, 0, ARITHMETIC_FLAGS);
}

/* As the runtime's: the words' address is in rax, rax itself on the stack. */
static uint64_t *words_seen;
static uint64_t choose(uint64_t *words)
{
	words_seen = words;
	return (uintptr_t)gate_reach_third;
}

__attribute__((naked, target("general-regs-only"))) static void stand_in(void)
{
	__asm__("push %%rbp; mov %%rsp, %%rbp\n"
		"push %%rcx; push %%rdx; push %%rsi; push %%rdi\n"
		"push %%r8; push %%r9; push %%r10; push %%r11\n"
		"and $-16, %%rsp; mov %%rax, %%rdi; cld; call %P0\n"
		"xchg %%rax, 8(%%rbp); lea -64(%%rbp), %%rsp\n"
		"pop %%r11; pop %%r10; pop %%r9; pop %%r8\n"
		"pop %%rdi; pop %%rsi; pop %%rdx; pop %%rcx; pop %%rbp; ret"
		:
		: "i"(choose));
}

Test(gate, thread_that_may_move_itself_asks_the_runtime)
{
	make_gate();
	area.slot = arch_gate_decide(gate.code);
	area.self_move = (uintptr_t)stand_in;
	own_thread.may_move = area.transition;
	words_seen = NULL;
	expect_reached(3, 0, ARITHMETIC_FLAGS);
	cr_expect(eq(ptr, words_seen, &area.slot));
	own_thread.may_move = 0;
	expect_reached(1, 0, ARITHMETIC_FLAGS);
}
