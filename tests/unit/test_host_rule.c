/* SPDX-License-Identifier: MIT */
/* Which threads may be borrowed: real ones, and walks made up. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "arch/arch_thread.h"
#include "host_rule.h"
#include "stack_target.h"

TestSuite(host_rule, .timeout = 60);

/* --- Real threads ------------------------------------------------------ */

struct dynamic_symbol {
	upatch_addr_t start;
	uint64_t size;
	char name[64];
};

/* Of the C library, as its file has them. */
struct libc_symbols {
	struct dynamic_symbol *symbols;
	size_t count;
};

struct victim_lookup {
	struct stack_target *target;
	struct libc_symbols libc;
	upatch_addr_t libc_bias;
};

static enum host_module find_module(void *user, upatch_addr_t addr)
{
	struct victim_lookup *lookup = user;
	const struct module *module =
		modules_find_addr(&lookup->target->modules, addr);

	if (!module)
		return HOST_MODULE_UNKNOWN;
	if (module->is_main)
		return HOST_MODULE_MAIN;
	if (!module->soname)
		return HOST_MODULE_OTHER;
	if (strcmp(module->soname, "libc.so.6") == 0)
		return HOST_MODULE_LIBC;
	if (strncmp(module->soname, "ld-linux", 8) == 0)
		return HOST_MODULE_LOADER;
	if (strcmp(module->soname, "linux-vdso.so.1") == 0)
		return HOST_MODULE_UNKNOWN;
	return HOST_MODULE_OTHER;
}

static bool find_symbol(void *user, upatch_addr_t addr, const char **ret_name,
			upatch_addr_t *ret_start)
{
	struct victim_lookup *lookup = user;
	upatch_addr_t offset = addr - lookup->libc_bias;
	size_t i;

	for (i = 0; i < lookup->libc.count; i++) {
		const struct dynamic_symbol *symbol = &lookup->libc.symbols[i];

		if (offset < symbol->start ||
		    offset - symbol->start >= symbol->size)
			continue;
		*ret_name = symbol->name;
		*ret_start = lookup->libc_bias + symbol->start;
		return true;
	}
	return false;
}

static upatch_addr_t find_exported(void *user, upatch_addr_t near,
				   const char *name)
{
	struct victim_lookup *lookup = user;
	size_t i;

	(void)near;
	for (i = 0; i < lookup->libc.count; i++) {
		if (strcmp(lookup->libc.symbols[i].name, name) == 0)
			return lookup->libc_bias +
			       lookup->libc.symbols[i].start;
	}
	return 0;
}

static size_t read_target(void *user, upatch_addr_t addr, uint8_t *buf,
			  size_t len)
{
	struct victim_lookup *lookup = user;

	return memory_read_some(&lookup->target->memory, addr, buf, len);
}

static uint64_t read_u64(const struct memory *memory, upatch_addr_t addr)
{
	uint64_t value = 0;

	if (memory_read_some(memory, addr, &value, sizeof(value)) !=
	    sizeof(value))
		cr_fatal("cannot read the victim");
	return value;
}

/* The value of a tag of the dynamic section, made an address by the loader. */
static upatch_addr_t find_dynamic(const struct memory *memory,
				  upatch_addr_t dynamic, uint64_t tag)
{
	while (read_u64(memory, dynamic) != tag)
		dynamic += sizeof(ElfW(Dyn));
	return read_u64(memory, dynamic + 8);
}

/* The symbol table ends where the string table begins. */
static void read_libc_symbols(struct victim_lookup *lookup)
{
	const struct memory *memory = &lookup->target->memory;
	const struct module *libc =
		modules_find_name(&lookup->target->modules, "libc.so.6");
	upatch_addr_t table, names;
	size_t count, i;

	lookup->libc_bias = libc->bias;
	table = find_dynamic(memory, libc->dynamic, DT_SYMTAB);
	names = find_dynamic(memory, libc->dynamic, DT_STRTAB);
	count = (names - table) / sizeof(ElfW(Sym));
	lookup->libc.symbols = calloc(count, sizeof(struct dynamic_symbol));
	for (i = 0; i < count; i++) {
		struct dynamic_symbol *symbol =
			&lookup->libc.symbols[lookup->libc.count];
		ElfW(Sym) sym;

		memory_read_some(memory, table + i * sizeof(sym), &sym,
				 sizeof(sym));
		if (sym.st_shndx == SHN_UNDEF ||
		    ELF64_ST_TYPE(sym.st_info) != STT_FUNC)
			continue;
		symbol->start = sym.st_value;
		symbol->size = sym.st_size;
		memory_read_some(memory, names + sym.st_name, symbol->name,
				 sizeof(symbol->name) - 1);
		lookup->libc.count++;
	}
}

static void judge_target(struct stack_target *target,
			 struct host_verdict *verdict)
{
	struct victim_lookup victim = { .target = target };
	struct host_lookup lookup = {
		.module = find_module,
		.symbol = find_symbol,
		.exported = find_exported,
		.read = read_target,
		.user = &victim,
	};
	struct unwind_walk walk;
	struct host_thread thread = {
		.walk = &walk,
		.in_syscall = arch_in_syscall(&target->regs),
		.in_shared_wait = arch_in_shared_wait(&target->regs),
		.is_main_thread = target->tid == target->child.pid,
		.is_on_own_stack = target->bounds.is_own,
		.stack_floor = target->bounds.own.start,
	};

	/* as far as a main thread's stack may grow by default */
	if (thread.is_main_thread)
		thread.stack_floor = target->bounds.own.end - 0x800000;
	read_libc_symbols(&victim);
	stack_target_walk(target, &walk);
	host_rule_judge(&lookup, &thread, verdict);
	free(victim.libc.symbols);
}

/* "*" is any call. */
static bool is_call(const char *call, const char *expected)
{
	if (!call || !expected)
		return call == expected;
	return *expected == '*' || strcmp(call, expected) == 0;
}

Test(host_rule, threads_in_many_places)
{
	/* clang-format off */
	static const struct {
		const char *wait, *thread;
		enum host_fit fit;
		const char *call;
	} cases[] = {
		{ "read", "main", HOST_IDLE_MAIN, "read" },
		{ "read", "thread", HOST_IDLE, "read" },
		{ "poll", "main", HOST_IDLE_MAIN, "poll" },
		{ "select", "thread", HOST_IDLE, "select" },
		{ "epoll", "main", HOST_IDLE_MAIN, "epoll_wait" },
		{ "nanosleep", "thread", HOST_IDLE, "nanosleep" },
		{ "sleep", "main", HOST_IDLE_MAIN, "sleep" },
		{ "pause", "thread", HOST_IDLE, "pause" },
		{ "cond", "thread", HOST_IDLE, "pthread_cond_wait" },
		{ "sem", "thread", HOST_IDLE, "sem_wait" },
		{ "mutex", "thread", HOST_IDLE, "pthread_mutex_lock" },
		/* several end in the same internal function */
		{ "join", "main", HOST_IDLE_MAIN, "*" },
		{ "syscall", "thread", HOST_IDLE, "syscall" },
		{ "spin", "main", HOST_RUNNING, NULL },
		{ "spin", "thread", HOST_RUNNING, NULL },
		{ "fwrite", "main", HOST_IN_LIBC, NULL },
		{ "printf", "thread", HOST_IN_LIBC, NULL },
		{ "system", "main", HOST_IN_LIBC, NULL },
		{ "qsort", "thread", HOST_BELOW_LIBC, NULL },
		{ "phdr", "main", HOST_BELOW_LIBC, NULL },
		{ "exit", "main", HOST_BELOW_LIBC, NULL },
		{ "exit", "thread", HOST_BELOW_LIBC, NULL },
		{ "handler", "main", HOST_IN_HANDLER, NULL },
		{ "interrupted-select", "main", HOST_IDLE_MAIN, "read" },
		{ "interrupted-read", "thread", HOST_IDLE, "read" },
		{ "interrupted-spin", "thread", HOST_IDLE, "read" },
		{ "interrupted-malloc", "thread", HOST_IN_HANDLER, NULL },
		{ "interrupted-qsort", "main", HOST_IN_HANDLER, NULL },
		{ "interrupted-fread", "main", HOST_IN_HANDLER, NULL },
		{ "innerstack", "thread", HOST_FOREIGN_STACK, NULL },
		{ "altstack", "thread", HOST_FOREIGN_STACK, NULL },
		{ "coroutine", "main", HOST_NO_UNWIND, NULL },
		{ "untabled", "thread", HOST_NO_UNWIND, NULL },
	};
	/* clang-format on */
	struct stack_target target;
	struct host_verdict verdict;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool same_call;

		stack_target_start(&target, cases[i].wait, "in",
				   cases[i].thread);
		judge_target(&target, &verdict);
		cr_expect(eq(int, verdict.fit, cases[i].fit), "%s %s: %s",
			  cases[i].wait, cases[i].thread,
			  host_fit_text(verdict.fit));
		same_call = is_call(verdict.call, cases[i].call);
		cr_expect(same_call, "%s %s: %s", cases[i].wait,
			  cases[i].thread, verdict.call);
		stack_target_end(&target);
	}
}

Test(host_rule, thread_in_malloc_is_never_taken)
{
	struct stack_target target;
	struct host_verdict verdict;
	int i, refused = 0;

	stack_target_start(&target, "malloc", "out", "thread");
	for (i = 0; i < 200; i++) {
		upatch_addr_t pc = arch_regs_pc(&target.regs);
		const struct module *module =
			modules_find_addr(&target.modules, pc);

		judge_target(&target, &verdict);
		if (module->is_main) {
			cr_assert(eq(int, verdict.fit, HOST_RUNNING));
		} else {
			cr_assert(eq(int, verdict.fit, HOST_IN_LIBC));
			refused++;
		}
		stack_target_resume(&target);
		stack_target_interrupt(&target);
	}
	cr_assert(gt(int, refused, 0));
	stack_target_end(&target);
}

/* --- Walks made up ----------------------------------------------------- */

/* One module per letter at its code times 0x1000; see made_up_module. */
#define AT(letter) ((upatch_addr_t)(letter)*0x1000 + 0x100)

static enum host_module made_up_module(void *user, upatch_addr_t addr)
{
	(void)user;
	switch (addr / 0x1000) {
	case 'm':
		return HOST_MODULE_MAIN;
	case 'c':
	case 'r':
	case 's':
		return HOST_MODULE_LIBC;
	case 'l':
		return HOST_MODULE_LOADER;
	case 'a':
		return HOST_MODULE_ALLOCATOR;
	case 'o':
		return HOST_MODULE_OTHER;
	}
	return HOST_MODULE_UNKNOWN;
}

static const char *exported_name;

#define EXPORTED_LEN 0x40

/* 'r' is an exported function of libc, all else is internal. */
static bool made_up_symbol(void *user, upatch_addr_t addr,
			   const char **ret_name, upatch_addr_t *ret_start)
{
	upatch_addr_t start = AT('r') - 0x10;

	(void)user;
	if (addr < start || addr >= start + EXPORTED_LEN)
		return false;
	*ret_name = exported_name;
	*ret_start = start;
	return true;
}

/* The code of 'r': a jump to where the code of 'c' begins, if it ends there. */
static size_t jump_offset;

static upatch_addr_t made_up_export(void *user, upatch_addr_t near,
				    const char *name)
{
	(void)user;
	(void)near;
	return strcmp(name, exported_name) == 0 ? AT('r') - 0x10 : 0;
}

/* Where functions make a system call; all frames are at PC_OFFSET of them. */
static size_t system_call_offset;

#define PC_OFFSET 0x10

static size_t made_up_code(upatch_addr_t addr, uint8_t *buf, size_t len)
{
	static const uint8_t system_call[] = { 0x0f, 0x05 };
	int32_t distance =
		(int32_t)(AT('c') - PC_OFFSET - addr - jump_offset - 5);

	memset(buf, 0x90, len);
	if (system_call_offset + sizeof(system_call) <= len)
		memcpy(buf + system_call_offset, system_call,
		       sizeof(system_call));
	if (jump_offset == 0)
		return len;
	buf[jump_offset] = 0xe9;
	memcpy(buf + jump_offset + 1, &distance, sizeof(distance));
	return len;
}

#define FRAMES_MAX 16
#define SP	   0x7ffd00010000UL
#define STACK_MAX  (64UL * FRAMES_MAX)

/* The frames of all handlers; each was taken 64 bytes further in. */
static struct {
	uint64_t return_addr;
	ucontext_t context;
} signal_frame;

static void signal_frame_init(void)
{
	memset(&signal_frame, 0, sizeof(signal_frame));
	/* of 64-bit user code */
	signal_frame.context.uc_mcontext.gregs[REG_CSGSFS] = 0x33;
}

static size_t made_up_bytes(void *user, upatch_addr_t addr, uint8_t *buf,
			    size_t len)
{
	(void)user;
	if (addr < SP - 64 || addr >= SP + STACK_MAX)
		return made_up_code(addr, buf, len);
	cr_assert(eq(u64, (addr + ARCH_SIGNAL_FRAME_POPPED) % 64, 0));
	signal_frame.context.uc_mcontext.gregs[REG_RSP] =
		(greg_t)(addr + ARCH_SIGNAL_FRAME_POPPED + 64);
	memcpy(buf, &signal_frame, len);
	return len;
}

static enum host_fit judge_made_up(const char *letters,
				   struct host_thread thread)
{
	struct host_lookup lookup = {
		.module = made_up_module,
		.symbol = made_up_symbol,
		.exported = made_up_export,
		.read = made_up_bytes,
	};
	struct unwind_frame frames[FRAMES_MAX];
	struct unwind_walk walk = { .frames = frames,
				    .count = strlen(letters),
				    .end = UNWIND_OUTERMOST };
	struct host_verdict verdict;
	size_t i;

	for (i = 0; i < walk.count; i++) {
		frames[i] = (struct unwind_frame){
			.pc = AT(letters[i]),
			.sp = SP + 64 * i,
			.code_start = AT(letters[i]) - 0x10,
			.pc_is_exact = i == 0 || letters[i - 1] == 's',
			.is_signal_frame = letters[i] == 's',
		};
	}
	thread.walk = &walk;
	host_rule_judge(&lookup, &thread, &verdict);
	return verdict.fit;
}

static const struct host_thread waiting_thread = {
	.in_syscall = true,
	.is_on_own_stack = true,
	.stack_floor = SP - 0x10000,
};

Test(host_rule, stacks_by_what_their_frames_belong_to)
{
	/* clang-format off */
	static const struct {
		const char *letters;
		enum host_fit fit;
	} cases[] = {
		/* threads: … start_thread clone3 */
		{ "rmcc", HOST_IDLE },
		{ "crmcc", HOST_IDLE },
		{ "rcc", HOST_IDLE },
		{ "rocc", HOST_IDLE },
		{ "mcc", HOST_RUNNING },
		{ "omcc", HOST_RUNNING },
		/* main: … __libc_start_call_main __libc_start_main _start */
		{ "rmccm", HOST_IDLE },
		{ "mccm", HOST_RUNNING },
		{ "rccm", HOST_IDLE },
		/* a thread made with clone(2) */
		{ "mc", HOST_RUNNING },
		{ "cc", HOST_IN_LIBC },
		{ "ccm", HOST_IN_LIBC },
		{ "cmcc", HOST_IN_LIBC },
		{ "rcmcc", HOST_IN_LIBC },
		/* a thread that libc has started for itself */
		{ "rccc", HOST_IN_LIBC },
		{ "mrcmcc", HOST_BELOW_LIBC },
		{ "rmcmcc", HOST_BELOW_LIBC },
		{ "mcccm", HOST_BELOW_LIBC },
		{ "lmcc", HOST_IN_LOADER },
		{ "rlmcc", HOST_IN_LOADER },
		{ "mlcmcc", HOST_IN_LOADER },
		{ "amcc", HOST_IN_ALLOCATOR },
		{ "ramcc", HOST_IN_ALLOCATOR },
		{ "rmacc", HOST_IN_ALLOCATOR },
		{ "vmcc", HOST_IN_UNKNOWN },
		{ "rvmcc", HOST_IN_UNKNOWN },
	};
	/* clang-format on */
	size_t i;

	exported_name = "epoll_wait";
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum host_fit fit =
			judge_made_up(cases[i].letters, waiting_thread);

		cr_expect(eq(int, fit, cases[i].fit), "%s: %s",
			  cases[i].letters, host_fit_text(fit));
	}
}

Test(host_rule, only_known_calls_are_allowed)
{
	static const struct {
		const char *name;
		enum host_fit fit;
	} cases[] = {
		{ "read", HOST_IDLE },
		{ "__read", HOST_IDLE },
		{ "__libc_pread", HOST_IDLE },
		{ "__read_chk", HOST_IDLE },
		{ "___interceptor_read", HOST_IDLE },
		{ "__interceptor_malloc", HOST_IN_LIBC },
		{ "writev", HOST_IDLE },
		{ "accept", HOST_IDLE },
		{ "fread", HOST_IN_LIBC },
		{ "getaddrinfo", HOST_IN_LIBC },
		{ "fork", HOST_IN_LIBC },
		{ "system", HOST_IN_LIBC },
		{ "dl_iterate_phdr", HOST_IN_LIBC },
		{ "malloc", HOST_IN_LIBC },
		{ "rea", HOST_IN_LIBC },
		{ "readdir", HOST_IN_LIBC },
		{ "", HOST_IN_LIBC },
		{ "_", HOST_IN_LIBC },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum host_fit fit;

		exported_name = cases[i].name;
		fit = judge_made_up("crmcc", waiting_thread);
		cr_expect(eq(int, fit, cases[i].fit), "%s", cases[i].name);
	}
}

Test(host_rule, call_may_have_ended_in_an_internal_function)
{
	exported_name = "sem_wait";
	cr_assert(eq(int, judge_made_up("cmcc", waiting_thread), HOST_IN_LIBC));
	jump_offset = EXPORTED_LEN - 1;
	cr_assert(eq(int, judge_made_up("cmcc", waiting_thread), HOST_IDLE));
	cr_assert(eq(int, judge_made_up("ccmcc", waiting_thread), HOST_IDLE));
	/* the next function does */
	jump_offset = EXPORTED_LEN;
	cr_assert(eq(int, judge_made_up("cmcc", waiting_thread), HOST_IN_LIBC));
	/* another one does */
	jump_offset = 8;
	exported_name = "fork";
	cr_assert(eq(int, judge_made_up("cmcc", waiting_thread), HOST_IN_LIBC));
}

Test(host_rule, thread_must_wait_in_the_call)
{
	struct host_thread thread = waiting_thread;

	exported_name = "read";
	thread.in_syscall = false;
	cr_assert(eq(int, judge_made_up("rmcc", thread), HOST_IN_LIBC));
	cr_assert(eq(int, judge_made_up("mcc", thread), HOST_RUNNING));
}

/* Else it frees the stack of the thread that has ended, under a lock. */
Test(host_rule, join_must_wait_for_the_thread)
{
	static const char *const names[] = {
		"pthread_join",
		"pthread_timedjoin_np",
		"pthread_clockjoin_np",
		"thrd_join",
	};
	struct host_thread thread = waiting_thread;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		exported_name = names[i];
		thread.in_shared_wait = false;
		cr_expect(eq(int, judge_made_up("crmcc", thread), HOST_IN_LIBC),
			  "%s", names[i]);
		thread.in_shared_wait = true;
		cr_expect(eq(int, judge_made_up("crmcc", thread), HOST_IDLE),
			  "%s", names[i]);
	}
}

/* --- What signals interrupted ------------------------------------------ */

#define IN_CODE	  0
#define BEHIND	  (PC_OFFSET - ARCH_SYSTEM_CALL_LEN)
#define IN_FRONT  PC_OFFSET
#define NEAR_IT	  (PC_OFFSET - ARCH_SYSTEM_CALL_LEN - 1)
#define BEFORE_IT (PC_OFFSET + 1)

/* 's' is the return of a signal handler; it interrupted what follows. */
Test(host_rule, handlers_by_what_they_interrupted)
{
	/* clang-format off */
	static const struct {
		const char *letters;
		size_t system_call;
		enum host_fit fit;
	} cases[] = {
		/* code of the program and of its libraries */
		{ "rmsmcc", IN_CODE, HOST_IDLE },
		{ "rosocc", IN_CODE, HOST_IDLE },
		{ "msmccm", IN_CODE, HOST_RUNNING },
		{ "rsmccm", IN_CODE, HOST_IDLE },
		/* a call that waits */
		{ "rmsrmccm", BEHIND, HOST_IDLE },
		{ "rmsrmccm", IN_FRONT, HOST_IDLE },
		{ "rmscrmccm", BEHIND, HOST_IDLE },
		{ "msrmccm", BEHIND, HOST_RUNNING },
		/* libc, at other instructions of the same call */
		{ "rmsrmccm", IN_CODE, HOST_IN_HANDLER },
		{ "rmsrmccm", NEAR_IT, HOST_IN_HANDLER },
		{ "rmsrmccm", BEFORE_IT, HOST_IN_HANDLER },
		/* libc, the loader, an allocator in a system call */
		{ "rmscmccm", BEHIND, HOST_IN_HANDLER },
		{ "rmslmccm", BEHIND, HOST_IN_HANDLER },
		{ "rmsamccm", BEHIND, HOST_IN_HANDLER },
		{ "rmsarmccm", BEHIND, HOST_IN_HANDLER },
		{ "rmsvmccm", BEHIND, HOST_IN_HANDLER },
		/* what has called that */
		{ "rmsrmcmccm", BEHIND, HOST_IN_HANDLER },
		{ "rmsmcmccm", IN_CODE, HOST_IN_HANDLER },
		{ "rmsmlcmccm", IN_CODE, HOST_IN_HANDLER },
		{ "rmsrmaccm", BEHIND, HOST_IN_HANDLER },
		{ "rmsrmvccm", BEHIND, HOST_IN_HANDLER },
		/* start frames are those of the thread, not of handlers */
		{ "rmccsmcc", IN_CODE, HOST_BELOW_LIBC },
		{ "rmcsmcc", IN_CODE, HOST_BELOW_LIBC },
		{ "rmscc", IN_CODE, HOST_IN_HANDLER },
		{ "rms", IN_CODE, HOST_IN_HANDLER },
		{ "rmsccm", BEHIND, HOST_IN_HANDLER },
		/* what runs in the handler */
		{ "cmsmcc", IN_CODE, HOST_IN_LIBC },
		{ "lmsmcc", IN_CODE, HOST_IN_LOADER },
		{ "amsmcc", IN_CODE, HOST_IN_ALLOCATOR },
		{ "mcmsmcc", IN_CODE, HOST_BELOW_LIBC },
		/* it has just returned, or not begun to run */
		{ "smcc", IN_CODE, HOST_IN_LIBC },
		/* handlers that handlers interrupted */
		{ "rmsmsmcc", IN_CODE, HOST_IDLE },
		{ "rmsrmsrmcc", BEHIND, HOST_IDLE },
		{ "rmscmsmcc", BEHIND, HOST_IN_HANDLER },
		{ "rmsmscmcc", BEHIND, HOST_IN_HANDLER },
		{ "rmssmcc", IN_CODE, HOST_IN_HANDLER },
	};
	/* clang-format on */

	exported_name = "epoll_wait";
	signal_frame_init();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum host_fit fit;

		system_call_offset = cases[i].system_call;
		fit = judge_made_up(cases[i].letters, waiting_thread);
		cr_expect(eq(int, fit, cases[i].fit), "%s %zu: %s",
			  cases[i].letters, cases[i].system_call,
			  host_fit_text(fit));
	}
}

Test(host_rule, interrupted_call_must_be_known)
{
	static const struct {
		const char *name;
		enum host_fit fit;
	} cases[] = {
		{ "__select", HOST_RUNNING },
		{ "pthread_mutex_lock", HOST_RUNNING },
		{ "fread", HOST_IN_HANDLER },
		{ "malloc", HOST_IN_HANDLER },
		/* which of their system calls it was is not known */
		{ "pthread_join", HOST_IN_HANDLER },
		{ "thrd_join", HOST_IN_HANDLER },
	};
	struct host_thread thread = waiting_thread;

	signal_frame_init();
	system_call_offset = BEHIND;
	thread.in_syscall = false;
	thread.in_shared_wait = true;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum host_fit fit;

		exported_name = cases[i].name;
		fit = judge_made_up("msrmcc", thread);
		cr_expect(eq(int, fit, cases[i].fit), "%s: %s", cases[i].name,
			  host_fit_text(fit));
	}
}

Test(host_rule, interrupted_program_with_an_allocator_must_have_waited)
{
	struct host_thread thread = waiting_thread;

	signal_frame_init();
	system_call_offset = BEHIND;
	thread.main_has_allocator = true;
	exported_name = "epoll_wait";
	cr_assert(eq(int, judge_made_up("rmsrmcc", thread), HOST_IDLE));
	cr_assert(eq(int, judge_made_up("rmsmcc", thread), HOST_IN_HANDLER));
	cr_assert(
		eq(int, judge_made_up("msrmcc", thread), HOST_MAYBE_ALLOCATOR));
	/* allocators wait for their own locks like this */
	exported_name = "pthread_mutex_lock";
	cr_assert(eq(int, judge_made_up("rmsrmcc", thread), HOST_IN_HANDLER));
}

Test(host_rule, alternate_stack_is_not_used)
{
	stack_t *stack = &signal_frame.context.uc_stack;
	upatch_addr_t frame = SP + 2 * 64 - ARCH_SIGNAL_FRAME_POPPED;
	enum host_fit fit;

	exported_name = "read";
	signal_frame_init();
	/* it has one, elsewhere */
	stack->ss_size = 0x1000;
	memcpy(&stack->ss_sp, &(upatch_addr_t){ frame - 0x1000 }, 8);
	fit = judge_made_up("rmsmcc", waiting_thread);
	cr_assert(eq(int, fit, HOST_IDLE));
	memcpy(&stack->ss_sp, &(upatch_addr_t){ frame - 0xfff }, 8);
	fit = judge_made_up("rmsmcc", waiting_thread);
	cr_assert(eq(int, fit, HOST_FOREIGN_STACK));
	memcpy(&stack->ss_sp, &(upatch_addr_t){ frame + 1 }, 8);
	fit = judge_made_up("rmsmcc", waiting_thread);
	cr_assert(eq(int, fit, HOST_IDLE));
}

Test(host_rule, signal_frame_must_be_one)
{
	enum host_fit fit;

	exported_name = "read";
	signal_frame_init();
	signal_frame.context.uc_mcontext.gregs[REG_CSGSFS] = 0;
	fit = judge_made_up("rmsmcc", waiting_thread);
	cr_assert(eq(int, fit, HOST_IN_HANDLER));
}

/* A controller that was killed has left its thread on such a frame. */
Test(host_rule, borrowed_thread_is_not_borrowed_again)
{
	static struct arch_saved_thread saved;
	static uint8_t buf[ARCH_SIGNAL_FRAME_MAX];
	struct arch_signal_frame frame;
	upatch_addr_t addr;
	enum host_fit fit;
	bool is_frame;
	size_t len;

	saved.regs.user.rsp = SP;
	arch_build_signal_frame(&saved, AT('s'), buf, &len, &addr);
	is_frame = arch_signal_frame_read(buf, &frame);
	cr_assert(is_frame);
	cr_assert(frame.is_ours);
	cr_assert(eq(u64, frame.sp, SP));
	memcpy(&signal_frame, buf, sizeof(signal_frame));
	exported_name = "syscall";
	fit = judge_made_up("rosmcc", waiting_thread);
	cr_assert(eq(int, fit, HOST_NOT_BACK));
}

Test(host_rule, system_call_is_an_instruction)
{
	static const struct {
		const char *code;
		size_t offset;
		bool is_at;
	} cases[] = {
		/* nop; syscall; nop */
		{ "\x90\x0f\x05\x90\x90\x90", 0, false },
		{ "\x90\x0f\x05\x90\x90\x90", 1, true },
		{ "\x90\x0f\x05\x90\x90\x90", 2, false },
		{ "\x90\x0f\x05\x90\x90\x90", 3, true },
		{ "\x90\x0f\x05\x90\x90\x90", 4, false },
		/* cmpb $5,15(%rax); nop */
		{ "\x80\x78\x0f\x05\x90\x90", 4, false },
		/* no instruction; syscall */
		{ "\x06\x90\x0f\x05\x90\x90", 4, false },
		/* it is cut off */
		{ "\x90\x90\x90\x90\x90\x0f", 5, false },
		{ "\x90\x90\x90\x90\x0f\x05", 6, true },
		{ "\x90\x90\x90\x90\x0f\x05", 7, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool is_at =
			arch_is_at_system_call((const uint8_t *)cases[i].code,
					       6, cases[i].offset);

		cr_expect(eq(int, is_at, cases[i].is_at), "case %zu", i);
	}
}

/* --- All of them ------------------------------------------------------- */

Test(host_rule, main_thread_is_preferred)
{
	struct host_thread thread = waiting_thread;

	exported_name = "read";
	thread.is_main_thread = true;
	cr_assert(eq(int, judge_made_up("rmccm", thread), HOST_IDLE_MAIN));
	cr_assert(lt(int, HOST_IDLE_MAIN, HOST_IDLE));
	cr_assert(lt(int, HOST_IDLE, HOST_RUNNING));
	cr_assert(lt(int, HOST_RUNNING, HOST_REFUSED));
}

Test(host_rule, program_with_an_allocator_gives_only_waiting_threads)
{
	struct host_thread thread = waiting_thread;

	thread.main_has_allocator = true;
	cr_assert(eq(int, judge_made_up("mcc", thread), HOST_MAYBE_ALLOCATOR));
	exported_name = "epoll_wait";
	cr_assert(eq(int, judge_made_up("rmcc", thread), HOST_IDLE));
	/* allocators wait for their own locks like this */
	exported_name = "pthread_mutex_lock";
	cr_assert(
		eq(int, judge_made_up("crmcc", thread), HOST_MAYBE_ALLOCATOR));
	exported_name = "nanosleep";
	cr_assert(
		eq(int, judge_made_up("crmcc", thread), HOST_MAYBE_ALLOCATOR));
}

Test(host_rule, stack_needs_room_for_the_frame)
{
	struct host_thread thread = waiting_thread;
	uint64_t need = ARCH_RED_ZONE + ARCH_SIGNAL_FRAME_MAX;

	exported_name = "read";
	thread.stack_floor = SP - need;
	cr_assert(eq(int, judge_made_up("rmcc", thread), HOST_IDLE));
	thread.stack_floor = SP - need + 1;
	cr_assert(eq(int, judge_made_up("rmcc", thread), HOST_NO_ROOM));
	thread.stack_floor = SP + 1;
	cr_assert(eq(int, judge_made_up("rmcc", thread), HOST_NO_ROOM));
}

Test(host_rule, every_fit_has_a_text)
{
	int fit;

	for (fit = HOST_IDLE_MAIN; fit <= HOST_IN_UNKNOWN; fit++) {
		bool has_text = strcmp(host_fit_text((enum host_fit)fit),
				       "unknown") != 0;

		cr_assert(has_text);
	}
}
