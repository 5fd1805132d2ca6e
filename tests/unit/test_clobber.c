/* SPDX-License-Identifier: MIT */
/* What functions write: by hand, and as compilers make them. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <unistd.h>

#include "arch/clobber.h"
#include "arch/x86_64/effect.h"
#include "elf_code.h"
#include "scratch.h"

#define ALL ((uint32_t)GENERAL_CALLER_SAVED)
#define A   GENERAL_BIT(RAX)
#define C   GENERAL_BIT(RCX)
#define D   GENERAL_BIT(RDX)
#define SI  GENERAL_BIT(RSI)
#define DI  GENERAL_BIT(RDI)

static void analyze(const char *file, const char *name,
		    struct clobber *ret_clobber)
{
	struct elf_code *elf = elf_code_open(file);
	struct code_source source = elf_code_source(elf);
	upatch_addr_t addr = elf_code_find(elf, name);

	cr_assert(ne(u64, addr, 0), "%s is in %s", name, file);
	clobber_analyze(&source, addr, ret_clobber);
	elf_code_close(elf);
}

static void analyze_own(const char *name, struct clobber *ret_clobber)
{
	analyze("/proc/self/exe", name, ret_clobber);
}

/* --- By hand ---------------------------------------------------------------- */

struct expected {
	const char *name;
	const char *reason; /* of what is not known or not complete */
	bool known;
	uint32_t general, vector, opmask;
};

static const struct expected expected[] = {
	{ "leaf_getter", NULL, true, A, 0, 0 },
	{ "partial_write", NULL, true, C, 0, 0 },
	{ "read_only", NULL, true, A, 0, 0 },
	{ "sign_extension", NULL, true, A | D, 0, 0 },
	{ "restores_what_it_saves", NULL, true, 0, 0, 0 },
	{ "restores_sometimes", NULL, true, C | SI, 0, 0 },
	{ "system_call", NULL, true, A | C | GENERAL_BIT(R11), 0, 0 },
	{ "calls_helper", NULL, true, GENERAL_BIT(R9), 0, 0 },
	{ "jumps_to_helper", NULL, true, GENERAL_BIT(R8) | GENERAL_BIT(R9), 0,
	  0 },
	{ "recursive", NULL, true, DI | GENERAL_BIT(R10) | GENERAL_BIT(R11), 0,
	  0 },
	{ "call_outside", "calls another object", false, 0, 0, 0 },
	{ "jump_outside", "jumps to another object", false, 0, 0, 0 },
	{ "calls_something_unknown", "calls another object", false, 0, 0, 0 },
	{ "indirect_call", "makes an indirect call", false, 0, 0, 0 },
	{ "indirect_tail_call", "jumps through a pointer", false, 0, 0, 0 },
	{ "tail_call_by_got", "jumps through a pointer", false, 0, 0, 0 },
	{ "tls_descriptor", NULL, true, A, 0, 0 },
	{ "switch_in_leaf", NULL, true, A | D | SI | GENERAL_BIT(R8), 0, 0 },
	{ "switch_that_calls", "calls another object", false, 0, 0, 0 },
	{ "thunk_call", "changes its return address", false, 0, 0, 0 },
	{ "pushed_return", "returns to an address it computes", false, 0, 0,
	  0 },
	{ "returns_by_thunk", NULL, true, C, 0, 0 },
	{ "returns_by_inline_thunk", NULL, true, SI, 0, 0 },
	{ "vectors", NULL, true, 0, 1u << 3 | 1u << 7, 0 },
	{ "wide_vectors", NULL, true, 0, 1u << 20, 1u << 3 },
	{ "unknown_to_capstone", "an instruction is not known", true,
	  A | C | D | SI, 3, 0 },
	{ "no_instruction", "bytes that are no instruction", true, A | D, 3,
	  0 },
	{ "runs_over", "runs over its end", true, A | D, 3, 0 },
};

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

TestSuite(clobber, .timeout = 60);

Test(clobber, what_is_written_is_found)
{
	for (size_t i = 0; i < COUNT(expected); i++) {
		const struct expected *row = &expected[i];
		struct clobber clobber;

		analyze_own(row->name, &clobber);
		cr_expect(eq(int, clobber.known, row->known), "%s", row->name);
		cr_expect(eq(int, clobber.complete &&clobber.known,
			     !row->reason),
			  "%s", row->name);
		if (row->reason)
			cr_expect(eq(str, (char *)(uintptr_t)clobber.reason,
				     (char *)(uintptr_t)row->reason),
				  "%s", row->name);
		if (!row->known)
			continue;
		cr_expect(eq(u32, clobber.written.general, row->general), "%s",
			  row->name);
		cr_expect(eq(u32, clobber.written.vector, row->vector), "%s",
			  row->name);
		cr_expect(eq(u32, clobber.written.opmask, row->opmask), "%s",
			  row->name);
	}
}

static const struct {
	const char *name;
	uint32_t bytes;
	bool known;
} stack_args[] = {
	{ "no_args", 0, true },
	{ "two_args", 16, true },
	{ "args_by_frame_pointer", 32, true },
	{ "args_of_aligned_frame", 24, true },
	{ "args_by_address", 0, false },
	{ "args_of_va_list", 0, false },
	{ "args_in_a_loop", 8, false },
	{ "args_by_index", 8, false },
	{ "args_by_evex", 0, false },
	{ "args_of_tail_call", 0, false },
};

Test(clobber, stack_arguments_are_counted)
{
	for (size_t i = 0; i < COUNT(stack_args); i++) {
		struct clobber clobber;

		analyze_own(stack_args[i].name, &clobber);
		cr_expect(eq(int, clobber.stack_args_known,
			     stack_args[i].known),
			  "%s", stack_args[i].name);
		cr_expect(eq(u32, clobber.stack_arg_bytes, stack_args[i].bytes),
			  "%s", stack_args[i].name);
	}
}

Test(clobber, restored_registers_are_touched)
{
	struct clobber clobber;

	analyze_own("restores_what_it_saves", &clobber);
	cr_expect(eq(u32, clobber.touched.general & ALL, C | D));
	/* the upper halves */
	analyze_own("vectors", &clobber);
	cr_expect(eq(u32, clobber.touched.vector, 0xffff));
}

Test(clobber, kept_is_what_only_the_new_function_changes)
{
	struct clobber old_function, new_function;
	struct clobber_set kept;

	analyze_own("leaf_getter", &old_function);
	analyze_own("sign_extension", &new_function);
	clobber_find_kept(&old_function, &new_function, &kept);
	cr_expect(eq(u32, kept.general, D));
	cr_expect(eq(u32, kept.vector, 0));

	analyze_own("call_outside", &new_function);
	clobber_find_kept(&old_function, &new_function, &kept);
	cr_expect(eq(u32, kept.general, ALL & ~A));
	cr_expect(eq(u32, kept.vector, 0xffffffff));
	cr_expect(eq(u32, kept.opmask, 0xff));
}

/* double same(double x) { count++; return x; } does not write its result. */
Test(clobber, result_that_is_an_argument_is_not_kept)
{
	struct clobber old_function, new_function;
	struct clobber_set kept;

	analyze_own("argument_result", &old_function);
	analyze_own("vector_result", &new_function);
	clobber_find_kept(&old_function, &new_function, &kept);
	cr_expect(eq(u32, kept.vector, 0));
	analyze_own("vector_used", &new_function);
	clobber_find_kept(&old_function, &new_function, &kept);
	cr_expect(eq(u32, kept.vector, 1));
}

Test(clobber, shield_is_needed_unless_something_unknown_is_called)
{
	struct clobber clobber;
	bool needed;

	analyze_own("leaf_getter", &clobber);
	needed = clobber_needs_shield(&clobber);
	cr_expect(needed);
	analyze_own("call_outside", &clobber);
	needed = clobber_needs_shield(&clobber);
	cr_expect(not(needed));
}

/* --- As compilers make them --------------------------------------------------- */

#define PROGRAM UPATCH_SOURCE_ROOT "/tests/unit/clobber_program.c"

static const char *const compilations[] = {
	"gcc -O1",	   "gcc -O2",	      "gcc -O3 -mavx2",
	"gcc -Os",	   "gcc -O2 -flto",   "gcc -O2 -fcf-protection",
	"gcc -O2 -no-pie", "gcc -O2 -static", "gcc -O3 -mavx512bw",
	"clang -O2",	   "clang -Os",
};

static bool compile(const char *how)
{
	scratch_run("rm -f program; %s -o program %s 2>&1 || true", how,
		    PROGRAM);
	return access(scratch_path("program"), R_OK) == 0;
}

/* Registers that hold a result or are kept, in whatever way it is compiled. */
static const struct {
	const char *name;
	bool known;
	uint32_t written, left; /* general registers */
	uint32_t vector;	/* written at least */
	uint32_t stack_arg_bytes;
} compiled[] = {
	{ "getter", true, A, ALL & ~A, 0, 0 },
	{ "scale", true, 0, ALL & ~A, 1, 0 },
	{ "calls", true, A, GENERAL_BIT(R10) | GENERAL_BIT(R11), 0, 0 },
	{ "loop", true, A, 0, 0, 0 },
	{ "factorial", true, A, 0, 0, 0 },
	{ "prints", false, 0, 0, 0, 0 },
	{ "pointer", false, 0, 0, 0, 0 },
	{ "tail", false, 0, 0, 0, 0 },
	{ "by_switch", true, A, GENERAL_BIT(R10) | GENERAL_BIT(R11), 0, 0 },
	{ "many", true, A, DI | SI | GENERAL_BIT(R10), 0, 24 },
	{ "main", false, 0, 0, 0, 0 },
};

static void check_compiled(size_t row, const char *how)
{
	const char *name = compiled[row].name;
	struct clobber clobber;

	analyze(scratch_path("program"), name, &clobber);
	cr_expect(eq(int, clobber.known, compiled[row].known), "%s, %s", name,
		  how);
	if (!clobber.known)
		return;
	cr_expect(eq(u32, clobber.written.general & compiled[row].written,
		     compiled[row].written),
		  "%s, %s", name, how);
	cr_expect(eq(u32, clobber.written.general & compiled[row].left, 0),
		  "%s, %s", name, how);
	cr_expect(eq(u32, clobber.written.vector & compiled[row].vector,
		     compiled[row].vector),
		  "%s, %s", name, how);
	if (!clobber.complete)
		return;
	cr_expect(eq(int, clobber.stack_args_known, true), "%s, %s", name, how);
	cr_expect(eq(u32, clobber.stack_arg_bytes,
		     compiled[row].stack_arg_bytes),
		  "%s, %s", name, how);
}

Test(clobber, output_of_compilers)
{
	unsigned int count = 0;

	for (size_t i = 0; i < COUNT(compilations); i++) {
		if (!compile(compilations[i]))
			continue;
		count++;
		for (size_t row = 0; row < COUNT(compiled); row++)
			check_compiled(row, compilations[i]);
	}
	if (count == 0)
		cr_skip("no compiler");
}
