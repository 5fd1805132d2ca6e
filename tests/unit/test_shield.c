/* SPDX-License-Identifier: MIT */
/*
 * Callers that GCC fitted to an old function, calling a new one: wrong with a
 * plain jump, right with a shield.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <execinfo.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include "arch/shield.h"
#include "arch/x86_64/shield_layout.h"
#include "elf_code.h"
#include "shield_callers.h"

#define PAGE_LEN 4096

struct registers {
	uint64_t general[16];
	uint64_t opmask[8];
	uint8_t vector[32][64];
};

_Static_assert(offsetof(struct registers, opmask) == 128 &&
		       offsetof(struct registers, vector) == 192,
	       "shield_registers.S");

extern const uint8_t upatch_shield_common[];
int shield_leaf(void);
void shield_call_leaf(const struct registers *before, struct registers *after,
		      unsigned long misalign);
void shield_ruin_registers(void);
extern uint32_t shield_width;
uint32_t shield_width;

typedef void (*function)(void);

/* --- Redirecting a function of this process --------------------------------- */

enum mode {
	PLAIN_JUMP,
	SHIELD
};

/* How the redirected function is called, for tests of the shield itself. */
static uint8_t *shield_code;
static size_t shield_len;

static int find_bias(struct dl_phdr_info *object, size_t size, void *user)
{
	(void)size;
	*(upatch_addr_t *)user = object->dlpi_addr;
	return 1;
}

static void analyze(function target, struct clobber *ret_clobber)
{
	struct elf_code *elf = elf_code_open("/proc/self/exe");
	struct code_source source = elf_code_source(elf);
	upatch_addr_t bias = 0;

	dl_iterate_phdr(find_bias, &bias);
	clobber_analyze(&source, (upatch_addr_t)target - bias, ret_clobber);
	elf_code_close(elf);
}

static uint8_t *map_near(uintptr_t addr)
{
	for (uintptr_t hint = (addr & ~0xffffUL) - 0x100000;; hint -= 0x10000) {
		void *page =
			mmap((void *)hint, PAGE_LEN,
			     PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			     -1, 0);

		if (page != MAP_FAILED)
			return page;
	}
}

static uintptr_t make_shield(function old, function new)
{
	struct shield_spec spec = {
		.shield_common = (upatch_addr_t)upatch_shield_common,
		.new_func = (upatch_addr_t) new,
	};
	struct clobber old_clobber, new_clobber;

	shield_code = map_near((uintptr_t)old);
	spec.code = (upatch_addr_t)shield_code;
	analyze(old, &old_clobber);
	analyze(new, &new_clobber);
	if (!clobber_needs_shield(&old_clobber))
		return (uintptr_t) new;
	clobber_find_kept(&old_clobber, &new_clobber, &spec.kept);
	spec.vector_width = arch_vector_width();
	spec.stack_args_known = new_clobber.stack_args_known;
	spec.stack_arg_bytes = new_clobber.stack_arg_bytes;
	if (arch_emit_shield(&spec, shield_code, PAGE_LEN, &shield_len, NULL))
		abort();
	return (uintptr_t)shield_code;
}

static void redirect(function old, function new, enum mode mode)
{
	uintptr_t page = (uintptr_t)old & ~(uintptr_t)(PAGE_LEN - 1);
	uintptr_t target = (uintptr_t) new;

	shield_width = arch_vector_width();
	if (mode == SHIELD)
		target = make_shield(old, new);
	if (mprotect((void *)page, 2 * PAGE_LEN,
		     PROT_READ | PROT_WRITE | PROT_EXEC))
		abort();
	arch_emit_jump((uint8_t *)(uintptr_t)old, (upatch_addr_t)old, target);
}

/* --- The new functions ------------------------------------------------------- */

/* What every function may do that keeps to the calling convention. */
static void do_much(void)
{
	char text[64];
	double value = 1.5;

	snprintf(text, sizeof(text), "%d %g", 12, value);
	if (strcmp(text, "12 1.5"))
		abort();
	shield_ruin_registers();
}

static int new_limit(void)
{
	do_much();
	return 5;
}

static double new_scale(double x)
{
	do_much();
	return x * 5;
}

static int new_switch(int which, int x)
{
	do_much();
	return which + x;
}

static long new_many(long a, long b, long c, long d, long e, long f, long g,
		     long h, double p, double q, double r, double s, double t,
		     double u, double v, double w, double x, double y)
{
	do_much();
	return a == 1 && b == 2 && c == 3 && d == 4 && e == 5 && f == 6 &&
	       g == 7 && h == 8 && p == 1 && q == 2 && r == 3 && s == 4 &&
	       t == 5 && u == 6 && v == 7 && w == 8 && x == 9 && y == 10;
}

static long sum_block(const struct block *block)
{
	long sum = 0;

	for (int i = 0; i < 5; i++)
		sum += block->words[i];
	return sum;
}

static long (*volatile sum_block_elsewhere)(const struct block *) = sum_block;

/* Its address is given away: nobody can tell how much of it is read. */
static long new_block(struct block block, long a)
{
	do_much();
	return sum_block_elsewhere(&block) + a;
}

/* All that it reads can be seen: the runtime copies as much. */
static long new_large(struct large large, long a)
{
	do_much();
	return large.words[0] + large.words[1] + large.words[29] + a;
}

static long new_odd(long a, long b, long c, long d, long e, long f, long g)
{
	do_much();
	return a == 1 && b == 2 && c == 3 && d == 4 && e == 5 && f == 6 &&
	       g == 7;
}

static struct pair new_pair(long a)
{
	do_much();
	return (struct pair){ a + 5, a - 5 };
}

static struct point new_point(double x)
{
	do_much();
	return (struct point){ x + 5, x - 5 };
}

static long double new_long(long a)
{
	do_much();
	return (long double)(a + 5);
}

static _Complex long double new_complex(long a)
{
	do_much();
	return __builtin_complex((long double)a, (long double)5);
}

static struct block new_big(long a)
{
	do_much();
	return (struct block){ { a, 2, 3, 4, 5 } };
}

static char logged[128];

__attribute__((format(printf, 1, 2))) static void new_log(const char *format,
							  ...)
{
	va_list args;

	va_start(args, format);
	do_much();
	vsnprintf(logged, sizeof(logged), format, args);
	va_end(args);
}

static double new_same(double x)
{
	do_much();
	return x * 5;
}

static long new_wide(long a)
{
	do_much();
	return a + 5;
}

static int new_throw(void)
{
	do_much();
	throw_exception();
	return 0;
}

#define FRAMES_MAX 64

/* What unwinders find behind a new function, innermost first. */
static void *frames[FRAMES_MAX];
static int frame_count;

/* The compiler's unwinder, which serves exceptions, too. */
static int new_backtrace(void)
{
	frame_count = backtrace(frames, FRAMES_MAX);
	do_much();
	return 5;
}

static int new_libunwind(void)
{
	unw_context_t context;
	unw_cursor_t cursor;
	unw_word_t pc;
	int step = 1;

	unw_getcontext(&context);
	unw_init_local(&cursor, &context);
	while (step > 0 && frame_count < FRAMES_MAX) {
		unw_get_reg(&cursor, UNW_REG_IP, &pc);
		frames[frame_count++] = (void *)pc;
		step = unw_step(&cursor);
	}
	do_much();
	return 5;
}

static int new_ruin(void)
{
	do_much();
	return 42;
}

static int new_quick(void)
{
	return 43;
}

static jmp_buf far_away;

static int new_longjmp(void)
{
	do_much();
	longjmp(far_away, 1);
}

/* --- The callers -------------------------------------------------------------- */

static bool run_limit(void)
{
	return call_limit(1, 2, 3) == 5 + 6 + 3;
}

static bool run_scale(void)
{
	return call_scale(1, 2, 3) == 1 + 50 + 200 + 3000;
}

static bool run_switch(void)
{
	return call_switch(1, 2, 3) == 1 + 40 + 200 + 3000;
}

static bool run_many(void)
{
	return call_many(1, 2) == 102;
}

static bool run_block(void)
{
	return call_block(1, 2) == 1602;
}

static bool run_large(void)
{
	return call_large(1, 2) == 1102;
}

static bool run_odd(void)
{
	return call_odd(1, 2) == 102;
}

static bool run_pair(void)
{
	return call_pair(1, 2, 3) == 6 - 40 + 200 + 3000;
}

static bool run_point(void)
{
	return call_point(1, 2, 3) == 6 - 40 + 200 + 3000;
}

static bool run_long(void)
{
	return call_long(1, 2, 3) == 6 + 200 + 3000;
}

static bool run_complex(void)
{
	return call_complex(1, 2, 3) == 1 + 50 + 200 + 3000;
}

static bool run_big(void)
{
	return call_big(1, 2, 3) == 1 + 50 + 200 + 3000;
}

static bool run_log(void)
{
	return call_log(1, 2, 3) == 1 + 200 + 3000 &&
	       !strcmp(logged, "1 2 3 4 5 6 7 8 0.5 0.25");
}

static bool run_same(void)
{
	return call_same(1, 2) == 5 + 200;
}

static bool run_wide(void)
{
	static const long values[4] = { 1, 2, 3, 4 };

	return call_wide(values, 1) == 7 + 80 + 900 + 10000;
}

static bool run_widest(void)
{
	static const long values[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	return call_widest(values, 1) == 36 + 4 * 6;
}

static void limit_that_throws(void)
{
	call_limit(1, 2, 3);
}

static bool run_throw(void)
{
	return caught_exception(limit_that_throws);
}

static bool run_longjmp(void)
{
	if (setjmp(far_away))
		return true;
	call_limit(1, 2, 3);
	return false;
}

/* --- Right or wrong ------------------------------------------------------------ */

struct scenario {
	const char *name;
	function old, new;
	bool (*run)(void);
	uint8_t width; /* of vector registers that it needs */
};

static void run_child(const struct scenario *scenario, enum mode mode)
{
	/* Wrong is to be seen, not to be kept. */
	static const struct rlimit no_core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &no_core);
	signal(SIGSEGV, SIG_DFL);
	signal(SIGABRT, SIG_DFL);
	freopen("/dev/null", "w", stderr);
	redirect(scenario->old, scenario->new, mode);
	_exit(scenario->run() ? 0 : 1);
}

static bool is_right(const struct scenario *scenario, enum mode mode)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		run_child(scenario, mode);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#define SCENARIO(what, width)                                                  \
	{                                                                      \
#what, (function)callee_##what, (function)new_##what,          \
			run_##what, width                                      \
	}

static const struct scenario scenarios[] = {
	SCENARIO(limit, 16),
	SCENARIO(scale, 16),
	SCENARIO(switch, 16),
	SCENARIO(many, 16),
	SCENARIO(block, 16),
	SCENARIO(large, 16),
	SCENARIO(odd, 16),
	SCENARIO(pair, 16),
	SCENARIO(point, 16),
	SCENARIO(long, 16),
	SCENARIO(complex, 16),
	SCENARIO(big, 16),
	SCENARIO(log, 16),
	SCENARIO(same, 16),
	SCENARIO(wide, 32),
	{ "widest", (function)callee_widest, (function)new_wide, run_widest,
	  64 },
	{ "throw", (function)callee_limit, (function)new_throw, run_throw, 16 },
	{ "longjmp", (function)callee_limit, (function)new_longjmp, run_longjmp,
	  16 },
};

#define SCENARIO_COUNT (sizeof(scenarios) / sizeof(*scenarios))

TestSuite(shield, .timeout = 60);

Test(shield, keeps_what_callers_rely_on)
{
	for (size_t i = 0; i < SCENARIO_COUNT; i++) {
		const struct scenario *scenario = &scenarios[i];
		bool right;

		if (scenario->width > arch_vector_width())
			continue;
		right = is_right(scenario, SHIELD);
		cr_expect(right, "%s with a shield", scenario->name);
	}
}

/* Otherwise the test above would show nothing. */
Test(shield, plain_jump_corrupts_callers)
{
#ifdef __clang__
	cr_skip("this compiler fits no callers to callees");
#endif
	for (size_t i = 0; i < SCENARIO_COUNT; i++) {
		const struct scenario *scenario = &scenarios[i];
		bool right;

		if (scenario->width > arch_vector_width())
			continue;
		right = is_right(scenario, PLAIN_JUMP);
		cr_expect(not(right), "%s without a shield", scenario->name);
	}
}

static void fill(struct registers *registers)
{
	uint8_t *bytes = (uint8_t *)registers;

	for (size_t i = 0; i < sizeof(*registers); i++)
		bytes[i] = (uint8_t)(i * 37 + i / 256);
}

static void expect_kept(const struct registers *before,
			const struct registers *after)
{
	static const unsigned int general[] = { 1, 2, 6, 7, 8, 9, 10, 11 };
	unsigned int width = arch_vector_width();

	for (size_t i = 0; i < sizeof(general) / sizeof(*general); i++) {
		unsigned int n = general[i];

		cr_expect(eq(u64, after->general[n], before->general[n]),
			  "general register %u", n);
	}
	for (unsigned int i = 0; i < (width == 64 ? 32 : 16); i++) {
		int differs =
			memcmp(after->vector[i], before->vector[i], width);

		cr_expect(eq(int, differs, 0), "vector register %u", i);
	}
	for (unsigned int i = 0; i < (width == 64 ? 8 : 0); i++)
		cr_expect(eq(u64, after->opmask[i], before->opmask[i]),
			  "opmask register %u", i);
}

Test(shield, keeps_every_register_on_any_stack)
{
	static struct registers before, after;

	redirect((function)shield_leaf, (function)new_ruin, SHIELD);
	fill(&before);
	for (unsigned long misalign = 0; misalign <= 8; misalign += 8) {
		memset(&after, 0, sizeof(after));
		shield_call_leaf(&before, &after, misalign);
		expect_kept(&before, &after);
		cr_expect(eq(u64, after.general[0], 42));
	}
}

Test(shield, keeps_nothing_that_the_new_function_leaves_alone)
{
	static struct registers before, after;
	size_t full_len;

	make_shield((function)shield_leaf, (function)new_ruin);
	full_len = shield_len;
	redirect((function)shield_leaf, (function)new_quick, SHIELD);
	fill(&before);
	shield_call_leaf(&before, &after, 0);
	expect_kept(&before, &after);
	cr_expect(eq(u64, after.general[0], 43));
	cr_expect(lt(sz, shield_len, 64));
	cr_expect(gt(sz, full_len, 256));
	cr_expect(le(sz, full_len, ARCH_SHIELD_MAX));
}

static bool has_frame_in(uintptr_t start, size_t len)
{
	for (int i = 0; i < frame_count; i++) {
		if ((uintptr_t)frames[i] - 1 - start < len)
			return true;
	}
	return false;
}

static void expect_unwound(function new)
{
	bool right;

	frame_count = 0;
	redirect((function)callee_limit, new, SHIELD);
	right = run_limit();
	cr_expect(right);
	right = has_frame_in((uintptr_t)upatch_shield_common, SHIELD_COPY);
	cr_expect(right, "the shield is in the backtrace");
	right = has_frame_in((uintptr_t)call_limit, 32);
	cr_expect(right, "its caller is in the backtrace");
	right = has_frame_in((uintptr_t)expect_unwound, 1024);
	cr_expect(right, "and what called that");
	cr_expect(lt(int, frame_count, FRAMES_MAX));
}

Test(shield, unwinder_of_the_compiler_passes)
{
	expect_unwound((function)new_backtrace);
}

Test(shield, libunwind_passes)
{
	expect_unwound((function)new_libunwind);
}

Test(shield, arguments_are_counted_where_they_can_be)
{
	struct clobber clobber;

	analyze((function)new_odd, &clobber);
	cr_expect(eq(int, clobber.stack_args_known, true));
	cr_expect(eq(u32, clobber.stack_arg_bytes, 8));
	analyze((function)new_large, &clobber);
	cr_expect(eq(int, clobber.stack_args_known, true));
	cr_expect(eq(u32, clobber.stack_arg_bytes, sizeof(struct large)));
}

/* --- Arguments on the stack ------------------------------------------------------ */

static bool run_deep(size_t depth)
{
	volatile char *room = __builtin_alloca(depth);

	room[0] = 0;
	return run_block() && run_log();
}

Test(shield, arguments_are_copied_wherever_a_page_ends)
{
	redirect((function)callee_block, (function)new_block, SHIELD);
	redirect((function)callee_log, (function)new_log, SHIELD);
	for (size_t depth = 16; depth < 2 * PAGE_LEN; depth += 16) {
		bool right = run_deep(depth);

		cr_expect(right, "%zu bytes down", depth);
	}
}

static ucontext_t main_context, edge_context;
static bool edge_right;

static void run_at_edge(void)
{
	edge_right = call_block(1, 2) == 1602;
}

Test(shield, arguments_end_with_the_stack)
{
	uint8_t *stack = mmap(NULL, 17 * PAGE_LEN, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(stack + 16 * PAGE_LEN, PAGE_LEN, PROT_NONE);
	redirect((function)callee_block, (function)new_block, SHIELD);
	getcontext(&edge_context);
	edge_context.uc_stack.ss_sp = stack;
	edge_context.uc_stack.ss_size = 16 * PAGE_LEN;
	edge_context.uc_link = &main_context;
	makecontext(&edge_context, run_at_edge, 0);
	swapcontext(&main_context, &edge_context);
	cr_expect(edge_right);
}

/* --- What cannot be made ----------------------------------------------------------- */

static const struct shield_spec possible = {
	.code = 0x10000,
	.shield_common = 0x7f0000000000,
	.new_func = 0x7f1000000000,
	.kept = { .general = 0xfc6, .vector = 0xffff },
	.vector_width = 16,
	.stack_args_known = true,
};

static int emit(const struct shield_spec *spec, size_t size,
		struct upatch_error *err)
{
	static uint8_t buf[ARCH_SHIELD_MAX];
	size_t len;

	return arch_emit_shield(spec, buf, size, &len, err);
}

Test(shield, impossible_ones_are_refused)
{
	struct shield_spec spec = possible;
	struct upatch_error err;

	cr_expect(zero(int, emit(&spec, ARCH_SHIELD_MAX, &err)));
	cr_expect(lt(int, emit(&spec, 100, &err), 0));
	spec.kept.general = 1u << 3;
	cr_expect(lt(int, emit(&spec, ARCH_SHIELD_MAX, &err), 0));
	spec = possible;
	spec.vector_width = 8;
	cr_expect(lt(int, emit(&spec, ARCH_SHIELD_MAX, &err), 0));
	spec = possible;
	spec.stack_arg_bytes = 12;
	cr_expect(lt(int, emit(&spec, ARCH_SHIELD_MAX, &err), 0));
	cr_expect(eq(
		str, err.message,
		"cannot place a shield at 0x10000: impossible size of arguments"));
}

static size_t shield_len_of(const struct shield_spec *spec)
{
	uint8_t buf[ARCH_SHIELD_MAX];
	size_t len = 0;
	int status = arch_emit_shield(spec, buf, sizeof(buf), &len, NULL);

	cr_expect(zero(int, status));
	return len;
}

Test(shield, registers_that_the_machine_lacks_are_left_out)
{
	struct shield_spec spec = possible;
	size_t len = shield_len_of(&spec);

	spec.kept.vector = 0xffffffff;
	spec.kept.opmask = 0xff;
	cr_expect(eq(sz, shield_len_of(&spec), len));
	spec.vector_width = 64;
	cr_expect(gt(sz, shield_len_of(&spec), len));
}

Test(shield, largest_one_fits)
{
	struct shield_spec spec = possible;

	spec.kept = (struct clobber_set){ 0xfc7, 0xffffffff, 0xff };
	spec.vector_width = 64;
	for (spec.stack_arg_bytes = 0; spec.stack_arg_bytes < 256;
	     spec.stack_arg_bytes += 8)
		cr_expect(zero(int, emit(&spec, ARCH_SHIELD_MAX, NULL)));
}
