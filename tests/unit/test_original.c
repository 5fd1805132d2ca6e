/* SPDX-License-Identifier: MIT */
/*
 * Relocated first instructions: their bytes, what they do when they run, and
 * what they mean in the functions of real programs.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <capstone/capstone.h>
#include <execinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arch/arch.h"
#include "elf_functions.h"
#include "random_bytes.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* --- Bytes ------------------------------------------------------------ */

#define ADDR	  0x401000
#define COPY_ADDR 0x501000

struct relocation {
	const char *name;
	uint8_t jump_offset, moved_end, copy_len;
	uint8_t code[24];
	uint8_t copy[48];
	struct arch_twin twins[6];
	size_t twin_count;
};

/* clang-format off */
static const struct relocation relocations[] = {
	{ "plain instructions", 0, 8, 13, {
		0x55,                               /* push %rbp */
		0x48, 0x89, 0xe5,                   /* mov %rsp, %rbp */
		0x48, 0x83, 0xec, 0x10,             /* sub $16, %rsp */
	}, {
		0x55,
		0x48, 0x89, 0xe5,
		0x48, 0x83, 0xec, 0x10,
		0xe9, 0xfb, 0xff, 0xef, 0xff,       /* jmp f+8 */
	}, { { 0, 0 }, { 1, 1 }, { 4, 4 } }, 3 },
	{ "behind endbr64", 4, 9, 10, {
		0xf3, 0x0f, 0x1e, 0xfa,             /* endbr64 */
		0xb8, 1, 0, 0, 0,                   /* mov $1, %eax */
	}, {
		0xb8, 1, 0, 0, 0,
		0xe9, 0xff, 0xff, 0xef, 0xff,       /* jmp f+9 */
	}, { { 4, 0 } }, 1 },
	{ "operand relative to rip before an immediate", 0, 10, 15, {
		0xc7, 0x05, 0, 0, 0x20, 0, 5, 0, 0, 0, /* movl $5, f+0x20000a */
	}, {
		0xc7, 0x05, 0, 0, 0x10, 0, 5, 0, 0, 0,
		0xe9, 0xfb, 0xff, 0xef, 0xff,       /* jmp f+10 */
	}, { { 0, 0 } }, 1 },
	{ "vex operand relative to rip", 0, 8, 13, {
		0xc5, 0xf9, 0x6f, 0x05, 0, 0, 0x20, 0, /* vmovdqa f+0x200008, %xmm0 */
	}, {
		0xc5, 0xf9, 0x6f, 0x05, 0, 0, 0x10, 0,
		0xe9, 0xfb, 0xff, 0xef, 0xff,       /* jmp f+8 */
	}, { { 0, 0 } }, 1 },
	{ "evex operand relative to rip", 0, 10, 15, {
		0x62, 0xf1, 0x7c, 0x48, 0x28, 0x05, 0, 0, 0x20, 0, /* vmovaps …, %zmm0 */
	}, {
		0x62, 0xf1, 0x7c, 0x48, 0x28, 0x05, 0, 0, 0x10, 0,
		0xe9, 0xfb, 0xff, 0xef, 0xff,       /* jmp f+10 */
	}, { { 0, 0 } }, 1 },
	{ "short jump grows, nothing goes on behind it", 0, 5, 8, {
		0x90, 0x90, 0x90,
		0xeb, 0x10,                         /* jmp f+0x15 */
	}, {
		0x90, 0x90, 0x90,
		0xe9, 0x0d, 0x00, 0xf0, 0xff,
	}, { { 0, 0 }, { 1, 1 }, { 2, 2 }, { 3, 3 } }, 4 },
	{ "short conditions grow", 0, 7, 19, {
		0x85, 0xff,                         /* test %edi, %edi */
		0x78, 0x10,                         /* js f+0x14 */
		0x2e, 0x74, 0x20,                   /* je,pn f+0x27 */
	}, {
		0x85, 0xff,
		0x0f, 0x88, 0x0c, 0x00, 0xf0, 0xff,
		0x0f, 0x84, 0x19, 0x00, 0xf0, 0xff,
		0xe9, 0xf4, 0xff, 0xef, 0xff,       /* jmp f+7 */
	}, { { 0, 0 }, { 2, 2 }, { 4, 8 } }, 3 },
	{ "near condition", 0, 6, 11, {
		0x0f, 0x85, 0, 1, 0, 0,             /* jne f+0x106 */
	}, {
		0x0f, 0x85, 0x00, 0x01, 0xf0, 0xff,
		0xe9, 0xfb, 0xff, 0xef, 0xff,       /* jmp f+6 */
	}, { { 0, 0 } }, 1 },
	{ "loop and jecxz", 0, 5, 24, {
		0xe2, 0x10,                         /* loop f+0x12 */
		0x67, 0xe3, 0x20,                   /* jecxz f+0x25 */
	}, {
		0xe2, 0x02,                         /* loop 1f */
		0xeb, 0x05,                         /* jmp 2f */
		0xe9, 0x09, 0x00, 0xf0, 0xff,       /* 1: jmp f+0x12 */
		0x67, 0xe3, 0x02,                   /* 2: jecxz 1f */
		0xeb, 0x05,                         /* jmp 2f */
		0xe9, 0x12, 0x00, 0xf0, 0xff,       /* 1: jmp f+0x25 */
		0xe9, 0xed, 0xff, 0xef, 0xff,       /* 2: jmp f+5 */
	}, { { 0, 0 }, { 2, 9 } }, 2 },
	{ "branches between moved instructions", 0, 6, 21, {
		0xeb, 0x00,                         /* jmp f+2 */
		0x90,
		0xe2, 0xfe,                         /* loop f+3 */
		0x90,
	}, {
		0xe9, 0x00, 0x00, 0x00, 0x00,
		0x90,
		0xe2, 0x02,
		0xeb, 0x05,
		0xe9, 0xf7, 0xff, 0xff, 0xff,
		0x90,
		0xe9, 0xf1, 0xff, 0xef, 0xff,       /* jmp f+6 */
	}, { { 0, 0 }, { 2, 5 }, { 3, 6 }, { 5, 15 } }, 4 },
	{ "call", 0, 6, 20, {
		0x90,
		0xe8, 0, 1, 0, 0,                   /* call f+0x106 */
	}, {
		0x90,
		0xff, 0x35, 5, 0, 0, 0,             /* push 1f(%rip) */
		0xe9, 0xfa, 0x00, 0xf0, 0xff,       /* jmp f+0x106 */
		0x06, 0x10, 0x40, 0, 0, 0, 0, 0,    /* 1: .quad f+6 */
	}, { { 0, 0 }, { 1, 1 } }, 2 },
	{ "call of the own entry takes the gate", 0, 5, 19, {
		0xe8, 0xfb, 0xff, 0xff, 0xff,       /* call f */
	}, {
		0xff, 0x35, 5, 0, 0, 0,             /* push 1f(%rip) */
		0xe9, 0xf5, 0xff, 0xef, 0xff,       /* jmp f */
		0x05, 0x10, 0x40, 0, 0, 0, 0, 0,    /* 1: .quad f+5 */
	}, { { 0, 0 } }, 1 },
	{ "call through the GOT", 0, 6, 20, {
		0xff, 0x15, 0, 0, 0x20, 0,          /* call *f+0x200006 */
	}, {
		0xff, 0x35, 6, 0, 0, 0,             /* push 1f(%rip) */
		0xff, 0x25, 0xfa, 0xff, 0x0f, 0,    /* jmp *f+0x200006 */
		0x06, 0x10, 0x40, 0, 0, 0, 0, 0,    /* 1: .quad f+6 */
	}, { { 0, 0 } }, 1 },
	{ "call through a word with an index", 0, 6, 20, {
		0x90,
		0x42, 0xff, 0x54, 0xe0, 0x08,       /* call *8(%rax, %r12, 8) */
	}, {
		0x90,
		0xff, 0x35, 5, 0, 0, 0,             /* push 1f(%rip) */
		0x42, 0xff, 0x64, 0xe0, 0x08,       /* jmp *8(%rax, %r12, 8) */
		0x06, 0x10, 0x40, 0, 0, 0, 0, 0,    /* 1: .quad f+6 */
	}, { { 0, 0 }, { 1, 1 } }, 2 },
	{ "call through r12", 0, 5, 19, {
		0x90, 0x90,
		0x41, 0xff, 0xd4,                   /* call *%r12 */
	}, {
		0x90, 0x90,
		0xff, 0x35, 3, 0, 0, 0,             /* push 1f(%rip) */
		0x41, 0xff, 0xe4,                   /* jmp *%r12 */
		0x05, 0x10, 0x40, 0, 0, 0, 0, 0,    /* 1: .quad f+5 */
	}, { { 0, 0 }, { 1, 1 }, { 2, 2 } }, 3 },
	{ "return is not the end", 0, 5, 10, {
		0x31, 0xc0,                         /* xor %eax, %eax */
		0xc3,                               /* ret */
		0x31, 0xd2,                         /* xor %edx, %edx */
	}, {
		0x31, 0xc0,
		0xc3,
		0x31, 0xd2,
		0xe9, 0xfb, 0xff, 0xef, 0xff,       /* jmp f+5 */
	}, { { 0, 0 }, { 2, 2 }, { 3, 3 } }, 3 },
};
/* clang-format on */

static struct arch_entry entry_of(const struct relocation *row)
{
	struct arch_entry entry = {
		.addr = ADDR,
		.jump_offset = row->jump_offset,
		.moved_end = row->moved_end,
	};

	memcpy(entry.bytes, row->code, sizeof(row->code));
	return entry;
}

Test(original, bytes_are_as_written_beside_them)
{
	for (size_t i = 0; i < COUNT(relocations); i++) {
		const struct relocation *row = &relocations[i];
		struct arch_entry entry = entry_of(row);
		struct cr_mem expected, got;
		uint8_t buf[ARCH_ORIGINAL_MAX] = { 0 };
		struct arch_twin twins[ARCH_TWINS_MAX];
		struct upatch_error err = { 0 };
		size_t len = 0, count = 0;
		int result =
			arch_emit_original(&entry, COPY_ADDR, buf, sizeof(buf),
					   &len, twins, &count, &err);

		cr_assert(eq(int, result, 0), "%s: %s", row->name, err.message);
		expected = (struct cr_mem){ row->copy, row->copy_len };
		got = (struct cr_mem){ buf, len };
		cr_expect(eq(mem, got, expected), "%s", row->name);
		cr_assert(eq(sz, count, row->twin_count), "%s", row->name);
		expected = (struct cr_mem){ row->twins, count * 2 };
		got = (struct cr_mem){ twins, count * 2 };
		cr_expect(eq(mem, got, expected), "%s", row->name);
	}
}

Test(original, small_buffer_is_refused)
{
	for (size_t i = 0; i < COUNT(relocations); i++) {
		const struct relocation *row = &relocations[i];
		struct arch_entry entry = entry_of(row);

		for (size_t size = 0; size < row->copy_len; size++) {
			uint8_t *buf = malloc(size ? size : 1);
			struct arch_twin twins[ARCH_TWINS_MAX];
			struct upatch_error err = { 0 };
			size_t len = 77, count = 77;
			int result =
				arch_emit_original(&entry, COPY_ADDR, buf, size,
						   &len, twins, &count, &err);
			int expected = UPATCH_ERROR_ARGUMENT;

			cr_expect(eq(int, result, expected), "%s", row->name);
			cr_expect(eq(sz, len, 77), "%s", row->name);
			cr_expect(eq(sz, count, 77), "%s", row->name);
			free(buf);
		}
	}
}

static int emit_at(const char *name, upatch_addr_t copy_addr,
		   struct upatch_error *err)
{
	const struct relocation *row = relocations;
	struct arch_twin twins[ARCH_TWINS_MAX];
	uint8_t buf[ARCH_ORIGINAL_MAX];
	struct arch_entry entry;
	size_t len, count;

	while (strcmp(row->name, name) != 0)
		row++;
	entry = entry_of(row);
	return arch_emit_original(&entry, copy_addr, buf, sizeof(buf), &len,
				  twins, &count, err);
}

Test(original, what_is_out_of_reach_is_refused)
{
	const upatch_addr_t far_above = ADDR + 0x80000000;
	const upatch_addr_t far_below = ADDR - 0x7ff00000;
	struct upatch_error err = { 0 };
	int refused = UPATCH_ERROR_MISMATCH;

	/* the jump back, eight bytes behind the copy */
	cr_expect(
		eq(int, emit_at("plain instructions", far_above - 5, &err), 0));
	cr_expect(eq(int, emit_at("plain instructions", far_above - 4, &err),
		     refused));
	cr_expect(eq(
		str, err.message,
		"cannot reach 0x401008 from 0x80400ffc: more than 2 GiB apart"));
	/* the callee, the word of the GOT */
	cr_expect(eq(int, emit_at("call", far_above + 0x1000, &err), refused));
	cr_expect(eq(int, emit_at("plain instructions", far_below, &err), 0));
	cr_expect(eq(int, emit_at("call through the GOT", far_below, &err),
		     refused));
	/* nothing in it depends on a distance */
	cr_expect(eq(int, emit_at("call through r12", far_above * 4, &err), 0));
}

/* --- Execution -------------------------------------------------------- */

typedef long callee_fn(long a, long b);
struct callees {
	callee_fn *callees[2];
};
typedef long function_fn(long a, long b, const struct callees *callees,
			 callee_fn *callee);

/* The table in entry_functions.S ends with an empty entry. */
struct entry_function {
	const char *name;
	uint8_t *code;
	size_t len;
};
extern const struct entry_function entry_functions[];
callee_fn own_return_address, record_backtrace;

#define FRAMES_MAX 64

static void *frames[FRAMES_MAX];

long record_backtrace(long a, long b)
{
	(void)a;
	(void)b;
	return backtrace(frames, FRAMES_MAX);
}

static uint8_t copy_area[4096] __attribute__((aligned(4096)));

static void make_writable(void *start, size_t len)
{
	uintptr_t page = (uintptr_t)start & ~(uintptr_t)4095;
	uintptr_t end = (uintptr_t)start + len;
	int result = mprotect((void *)page, end - page,
			      PROT_READ | PROT_WRITE | PROT_EXEC);

	cr_assert(eq(int, result, 0));
}

/* Puts the copy of the function's first instructions into copy_area. */
static void relocate(const struct entry_function *function,
		     struct arch_entry *entry)
{
	struct arch_twin twins[ARCH_TWINS_MAX];
	struct upatch_error err = { 0 };
	size_t len, count;
	int result = arch_entry_analyze(function->name, function->code,
					function->len,
					(uintptr_t)function->code, entry, &err);

	cr_assert(eq(int, result, 0), "%s", err.message);
	make_writable(copy_area, sizeof(copy_area));
	memset(copy_area, 0xcc, sizeof(copy_area));
	result = arch_emit_original(entry, (uintptr_t)copy_area, copy_area,
				    sizeof(copy_area), &len, twins, &count,
				    &err);
	cr_assert(eq(int, result, 0), "%s", err.message);
}

static void write_entry_jump(const struct arch_entry *entry)
{
	uint8_t *site = (uint8_t *)entry->addr + entry->jump_offset;

	make_writable(site, ARCH_JUMP_LEN);
	arch_emit_jump(site, (uintptr_t)site, (uintptr_t)copy_area);
}

static void restore_entry(const struct arch_entry *entry)
{
	memcpy((void *)entry->addr, entry->bytes, entry->moved_end);
}

static const long inputs[] = {
	0, 1, -1, 2, 3, 42, 1000, -1000, 0x80000000, 0x7fffffffffffffff,
};
#define INPUT_COUNT COUNT(inputs)

/* One copy: some of the functions tell the address that they return to. */
static __attribute__((noinline)) void
call_with_inputs(const void *code, long results[INPUT_COUNT][INPUT_COUNT])
{
	static const struct callees callees = {
		{ own_return_address, own_return_address },
	};
	function_fn *function = (function_fn *)(uintptr_t)code;

	for (size_t i = 0; i < INPUT_COUNT; i++) {
		for (size_t j = 0; j < INPUT_COUNT; j++)
			results[i][j] = function(inputs[i], inputs[j], &callees,
						 own_return_address);
	}
}

Test(original, copies_compute_what_the_functions_compute)
{
	for (const struct entry_function *function = entry_functions;
	     function->name; function++) {
		long expected[INPUT_COUNT][INPUT_COUNT];
		long copied[INPUT_COUNT][INPUT_COUNT];
		long redirected[INPUT_COUNT][INPUT_COUNT];
		struct arch_entry entry;
		int difference;

		call_with_inputs(function->code, expected);
		relocate(function, &entry);
		call_with_inputs(copy_area, copied);
		write_entry_jump(&entry);
		call_with_inputs(function->code, redirected);
		restore_entry(&entry);
		difference = memcmp(copied, expected, sizeof(expected));
		cr_expect(eq(int, difference, 0), "%s", function->name);
		difference = memcmp(redirected, expected, sizeof(expected));
		cr_expect(eq(int, difference, 0), "%s", function->name);
	}
}

static const struct entry_function *find_function(const char *name)
{
	const struct entry_function *function = entry_functions;

	while (strcmp(function->name, name) != 0)
		function++;
	return function;
}

static void expect_own_return_address(const char *name, size_t call_end)
{
	const struct entry_function *function = find_function(name);
	static const struct callees callees = {
		{ own_return_address, own_return_address },
	};
	uintptr_t expected = (uintptr_t)function->code + call_end;
	struct arch_entry entry;
	uintptr_t seen;

	relocate(function, &entry);
	seen = (uintptr_t)((
		function_fn *)(uintptr_t)copy_area)(0, 0, &callees,
						    own_return_address);
	cr_expect(eq(ptr, (void *)seen, (void *)expected), "%s", name);
}

Test(original, callee_sees_the_return_address_of_the_old_place)
{
	expect_own_return_address("call_first", 5);
	expect_own_return_address("call_behind_prologue", 9);
	expect_own_return_address("call_relaxed_by_ld", 6);
	expect_own_return_address("call_through_word", 6);
	expect_own_return_address("call_through_register", 6);
	expect_own_return_address("call_through_extended_register", 6);
	expect_own_return_address("call_through_table", 5);
	expect_own_return_address("call_through_indexed_table", 6);
}

/* One frame and one call site for both, so that only the copy can differ. */
__attribute__((noinline)) static long
take_backtrace(const void *code, void *ret_frames[FRAMES_MAX])
{
	long count = ((function_fn *)(uintptr_t)code)(0, 0, NULL, NULL);

	memcpy(ret_frames, frames, sizeof(frames));
	return count;
}

static void expect_same_backtrace(const char *name)
{
	const struct entry_function *function = find_function(name);
	void *expected[FRAMES_MAX], *got[FRAMES_MAX];
	/* volatile: the compiler does not make a function of its own for it */
	const void *volatile copy = copy_area;
	struct arch_entry entry;
	long expected_count, got_count, different = 0;

	relocate(function, &entry);
	expected_count = take_backtrace(function->code, expected);
	got_count = take_backtrace(copy, got);
	/* record_backtrace, the function, take_backtrace, then its callers */
	cr_assert(gt(long, expected_count, 4), "%s", name);
	cr_assert(eq(long, got_count, expected_count), "%s", name);
	for (long i = 0; i < expected_count; i++)
		different += got[i] != expected[i];
	/* the two calls above return to different places */
	cr_expect(eq(long, different, 1), "%s", name);
}

Test(original, unwinding_passes_a_moved_call)
{
	expect_same_backtrace("call_that_unwinds");
	expect_same_backtrace("call_through_word_that_unwinds");
}

/* --- Real programs ---------------------------------------------------- */

/* Decodes the copies again, with nothing but Capstone, and compares. */
struct round_trip {
	csh handle;
	cs_insn *old, *copy;
	size_t count;
	const struct elf_function *function;
	struct arch_entry entry;
	uint8_t buf[ARCH_ORIGINAL_MAX];
	size_t len, at; /* of what is checked in buf */
	upatch_addr_t copy_addr;
};

static void decode(struct round_trip *trip, const uint8_t *code, size_t len,
		   uint64_t addr, cs_insn *insn)
{
	bool decoded = cs_disasm_iter(trip->handle, &code, &len, &addr, insn);

	cr_assert(decoded, "%s", trip->function->name);
}

static void decode_next_of_copy(struct round_trip *trip)
{
	decode(trip, trip->buf + trip->at, trip->len - trip->at,
	       trip->copy_addr + trip->at, trip->copy);
	trip->at += trip->copy->size;
}

static const cs_x86_op *find_rip_operand(const cs_insn *insn)
{
	const cs_x86 *x86 = &insn->detail->x86;

	for (uint8_t i = 0; i < x86->op_count; i++) {
		if (x86->operands[i].type == X86_OP_MEM &&
		    x86->operands[i].mem.base == X86_REG_RIP)
			return &x86->operands[i];
	}
	return NULL;
}

static uint64_t operand_addr(const cs_insn *insn, const cs_x86_op *operand)
{
	return insn->address + insn->size + (uint64_t)operand->mem.disp;
}

/* Branches: op_str has the target, not the distance. */
static void expect_same_operands(const struct round_trip *trip)
{
	const cs_x86_op *old = find_rip_operand(trip->old);
	const cs_x86_op *copy = find_rip_operand(trip->copy);
	const char *name = trip->function->name;
	uint64_t old_addr, copy_addr;

	if (!old || !copy) {
		cr_expect(eq(str, trip->copy->op_str, trip->old->op_str), "%s",
			  name);
		return;
	}
	old_addr = operand_addr(trip->old, old);
	copy_addr = operand_addr(trip->copy, copy);
	cr_expect(eq(u64, copy_addr, old_addr), "%s", name);
	cr_expect(eq(u8, trip->copy->detail->x86.op_count,
		     trip->old->detail->x86.op_count),
		  "%s", name);
}

static void expect_mnemonic(const struct round_trip *trip, const char *mnemonic)
{
	cr_expect(eq(str, trip->copy->mnemonic, (char *)(uintptr_t)mnemonic),
		  "%s", trip->function->name);
}

static void expect_copy_of_call(struct round_trip *trip)
{
	uint64_t return_addr;

	decode_next_of_copy(trip);
	expect_mnemonic(trip, "push");
	decode_next_of_copy(trip);
	expect_mnemonic(trip, "jmp");
	expect_same_operands(trip);
	memcpy(&return_addr, trip->buf + trip->at, sizeof(return_addr));
	trip->at += sizeof(return_addr);
	cr_expect(eq(u64, return_addr, trip->old->address + trip->old->size),
		  "%s", trip->function->name);
}

static void expect_copy(struct round_trip *trip)
{
	if (cs_insn_group(trip->handle, trip->old, CS_GRP_CALL)) {
		expect_copy_of_call(trip);
		return;
	}
	decode_next_of_copy(trip);
	expect_mnemonic(trip, trip->old->mnemonic);
	expect_same_operands(trip);
}

static void expect_copies(struct round_trip *trip,
			  const struct arch_twin *twins, size_t count)
{
	const struct elf_function *function = trip->function;
	uint64_t rest = trip->entry.addr + trip->entry.moved_end;

	trip->at = 0;
	for (size_t i = 0; i < count; i++) {
		cr_expect(eq(sz, trip->at, twins[i].to), "%s", function->name);
		decode(trip, function->code + twins[i].from,
		       function->len - twins[i].from,
		       function->addr + twins[i].from, trip->old);
		expect_copy(trip);
	}
	if (trip->at < trip->len) {
		decode_next_of_copy(trip);
		expect_mnemonic(trip, "jmp");
		cr_expect(eq(i64, trip->copy->detail->x86.operands[0].imm,
			     (int64_t)rest),
			  "%s", function->name);
	}
	cr_expect(eq(sz, trip->at, trip->len), "%s", function->name);
}

static void round_trip(const struct elf_function *function, void *user)
{
	struct arch_twin twins[ARCH_TWINS_MAX];
	struct round_trip *trip = user;
	struct upatch_error err;
	size_t count;
	int result;

	trip->function = function;
	if (arch_entry_analyze(function->name, function->code, function->len,
			       function->addr, &trip->entry, &err))
		return;
	trip->copy_addr = function->addr + 0x12345678;
	result = arch_emit_original(&trip->entry, trip->copy_addr, trip->buf,
				    sizeof(trip->buf), &trip->len, twins,
				    &count, &err);
	cr_assert(eq(int, result, 0), "%s", err.message);
	expect_copies(trip, twins, count);
	trip->count++;
}

static void round_trip_program(const char *path)
{
	struct round_trip trip = { 0 };
	bool is_read;

	cs_open(CS_ARCH_X86, CS_MODE_64, &trip.handle);
	cs_option(trip.handle, CS_OPT_DETAIL, CS_OPT_ON);
	trip.old = cs_malloc(trip.handle);
	trip.copy = cs_malloc(trip.handle);
	is_read = elf_functions_visit(path, round_trip, &trip);
	cs_free(trip.old, 1);
	cs_free(trip.copy, 1);
	cs_close(&trip.handle);
	if (!is_read)
		cr_skip("no %s here", path);
	cr_log_info("%s: %zu functions compared", path, trip.count);
}

Test(original, copies_in_nginx_mean_the_same)
{
	round_trip_program("/usr/sbin/nginx");
}

Test(original, copies_in_redis_server_mean_the_same)
{
	round_trip_program("/usr/bin/redis-server");
}

/* --- Random entries --------------------------------------------------- */

Test(original, random_entries_are_survived, .timeout = 120)
{
	unsigned long count = random_try_count();
	uint64_t state = 0x5eed;

	for (unsigned long i = 0; i < count; i++) {
		struct arch_twin twins[ARCH_TWINS_MAX];
		uint8_t buf[ARCH_ORIGINAL_MAX];
		struct arch_entry entry = { .addr = random_next(&state) };
		size_t len = 0, twin_count = 0;
		struct upatch_error err;

		entry.jump_offset = random_next(&state) % 5;
		entry.moved_end =
			(uint8_t)(entry.jump_offset + random_next(&state) % 28);
		for (size_t j = 0; j < sizeof(entry.bytes); j++)
			entry.bytes[j] = (uint8_t)random_next(&state);
		if (arch_emit_original(&entry, entry.addr + 0x100000, buf,
				       sizeof(buf), &len, twins, &twin_count,
				       &err))
			continue;
		cr_assert(le(sz, len, sizeof(buf)));
		cr_assert(le(sz, twin_count, ARCH_TWINS_MAX));
		for (size_t j = 1; j < twin_count; j++)
			cr_assert(gt(int, twins[j].to, twins[j - 1].to));
	}
}
