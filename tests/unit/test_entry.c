/* SPDX-License-Identifier: MIT */
/* Which functions can be redirected, and why the others cannot. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "elf_functions.h"
#include "random_bytes.h"

#define ADDR 0x401000

struct accepted {
	const char *name;
	uint8_t jump_offset, moved_end, len;
	uint8_t code[40];
};

struct refused {
	const char *name;
	const char *reason;
	uint8_t len;
	uint8_t code[40];
};

/* clang-format off */
static const struct accepted accepted[] = {
	{ "frame pointer prologue", 0, 8, 9, {
		0x55,                         /* push %rbp */
		0x48, 0x89, 0xe5,             /* mov %rsp, %rbp */
		0x48, 0x83, 0xec, 0x10,       /* sub $16, %rsp */
		0xc3 } },                     /* ret */
	{ "endbr64 is kept", 4, 9, 10, {
		0xf3, 0x0f, 0x1e, 0xfa,       /* endbr64 */
		0xb8, 1, 0, 0, 0,             /* mov $1, %eax */
		0xc3 } },                     /* ret */
	{ "exactly as long as the jump", 0, 5, 5, {
		0xe9, 0x10, 0, 0, 0 } },      /* jmp +0x15 */
	{ "one nop of five bytes", 0, 5, 6, {
		0x0f, 0x1f, 0x44, 0, 0,       /* nopl 0(%rax, %rax) */
		0xc3 } },
	{ "five nops", 0, 5, 6, {
		0x90, 0x90, 0x90, 0x90, 0x90,
		0xc3 } },
	{ "call __fentry__", 0, 5, 6, {
		0xe8, 0, 1, 0, 0,             /* call +0x105 */
		0xc3 } },
	{ "call mcount behind the prologue", 0, 9, 10, {
		0x55,                         /* push %rbp */
		0x48, 0x89, 0xe5,             /* mov %rsp, %rbp */
		0xe8, 0, 1, 0, 0,             /* call +0x109 */
		0xc3 } },
	{ "call through the GOT", 0, 6, 7, {
		0xff, 0x15, 0, 1, 0, 0,       /* call *0x100(%rip) */
		0xc3 } },
	{ "indirect call that ends with the jump", 0, 5, 6, {
		0x48, 0x89, 0xf8,             /* mov %rdi, %rax */
		0xff, 0xd0,                   /* call *%rax */
		0xc3 } },
	{ "call that ld relaxed", 0, 6, 7, {
		0x67, 0xe8, 0, 1, 0, 0,       /* addr32 call +0x106 */
		0xc3 } },
	{ "call of __tls_get_addr is 64 bits wide", 0, 8, 9, {
		0x66, 0x66, 0x48, 0xe8, 0, 1, 0, 0,
		0xc3 } },
	{ "last moved instruction of fifteen bytes", 0, 19, 20, {
		0x31, 0xc0,                   /* xor %eax, %eax */
		0x31, 0xd2,                   /* xor %edx, %edx */
		0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x2e, 0x0f,
		0x1f, 0x84, 0, 0, 0, 0, 0,    /* data16 … nopw %cs:0(…) */
		0xc3 } },
	{ "branch to the end of the jump", 0, 5, 8, {
		0xb8, 1, 0, 0, 0,             /* mov $1, %eax */
		0x90,
		0xeb, 0xfd } },               /* jmp +5 */
	{ "branch past a lock prefix, to the end of the jump", 0, 8, 11, {
		0x90, 0x90, 0x90, 0x90,
		0xf0, 0x0f, 0xb1, 0x16,       /* lock cmpxchg %edx, (%rsi) */
		0x75, 0xfb,                   /* jne +5 */
		0xc3 } },
	{ "recursion by call", 0, 5, 11, {
		0xb8, 1, 0, 0, 0,             /* mov $1, %eax */
		0xe8, 0xf6, 0xff, 0xff, 0xff, /* call +0 */
		0xc3 } },
	{ "jump between moved instructions", 0, 5, 6, {
		0xeb, 0x01,                   /* jmp +3 */
		0x90,
		0x31, 0xc0,                   /* xor %eax, %eax */
		0xc3 } },
	{ "backward branch between moved instructions", 0, 5, 6, {
		0x90,
		0xd1, 0xee,                   /* shr %esi */
		0x75, 0xfc,                   /* jne +1 */
		0xc3 } },
	{ "undefined instruction", 0, 5, 5, {
		0x31, 0xc0, 0x90,
		0x0f, 0x0b } },               /* ud2 */
	{ "return inside", 0, 5, 6, {
		0x31, 0xc0,                   /* xor %eax, %eax */
		0xc3,                         /* ret */
		0x66, 0x90,                   /* xchg %ax, %ax */
		0x90 } },
	{ "unknown bytes behind the jump", 0, 5, 8, {
		0xb8, 1, 0, 0, 0,             /* mov $1, %eax */
		0xc3,
		0x06, 0x06 } },               /* no instruction */
	{ "notrack jump through a register", 0, 6, 6, {
		0x48, 0x89, 0xf8,             /* mov %rdi, %rax */
		0x3e, 0xff, 0xe0 } },         /* notrack jmp *%rax */
	{ "address of the own entry", 0, 7, 8, {
		0x48, 0x8d, 0x05, 0xf9, 0xff, 0xff, 0xff, /* lea -7(%rip), %rax */
		0xc3 } },
};

static const struct refused refused[] = {
	{ "empty", "too short: 0 bytes", 0, { 0 } },
	{ "only ret", "too short: 1 bytes", 1, { 0xc3 } },
	{ "endbr64 and too little", "too short: 8 bytes", 8, {
		0xf3, 0x0f, 0x1e, 0xfa,       /* endbr64 */
		0x31, 0xc0, 0xc3, 0x90 } },   /* xor %eax, %eax; ret; nop */
	{ "call that returns into the jump",
	  "a call returns to +0x2, into the jump", 6, {
		0xff, 0xd0,                   /* call *%rax */
		0x31, 0xc0,                   /* xor %eax, %eax */
		0x90, 0xc3 } },
	{ "call that returns to the last byte of the jump",
	  "a call returns to +0x8, into the jump", 10, {
		0xf3, 0x0f, 0x1e, 0xfa,       /* endbr64 */
		0x90, 0x90,
		0xff, 0xd0,                   /* call *%rax */
		0x90, 0xc3 } },
	{ "branch to the second byte",
	  "the branch at f+0x5 leads to +0x1, into the jump", 8, {
		0x50,                         /* push %rax */
		0x31, 0xc0, 0x90, 0x90,
		0x74, 0xfa,                   /* je +1 */
		0xc3 } },
	{ "near branch to the last byte",
	  "the branch at f+0x5 leads to +0x4, into the jump", 12, {
		0x31, 0xc0, 0x90, 0x90, 0x90,
		0x0f, 0x85, 0xf9, 0xff, 0xff, 0xff, /* jne +4 */
		0xc3 } },
	{ "loop into the jump",
	  "the branch at f+0x5 leads to +0x2, into the jump", 8, {
		0x31, 0xc0, 0x90, 0x90, 0x90,
		0xe2, 0xfb,                   /* loop +2 */
		0xc3 } },
	{ "call into the jump",
	  "the branch at f+0x5 leads to +0x2, into the jump", 11, {
		0x31, 0xc0, 0x90, 0x90, 0x90,
		0xe8, 0xf8, 0xff, 0xff, 0xff, /* call +2 */
		0xc3 } },
	{ "transaction that aborts into the jump",
	  "the branch at f+0x5 leads to +0x2, into the jump", 12, {
		0x31, 0xc0, 0x90, 0x90, 0x90,
		0xc7, 0xf8, 0xf7, 0xff, 0xff, 0xff, /* xbegin +2 */
		0xc3 } },
	{ "moved branch into a moved instruction",
	  "the branch at f+0x0 leads to +0x3, into the jump", 8, {
		0xeb, 0x01,                   /* jmp +3 */
		0xb8, 1, 0, 0, 0,             /* mov $1, %eax */
		0xc3 } },
	{ "moved call of a moved instruction",
	  "the branch at f+0x2 leads to +0x1, into the jump", 8, {
		0x90, 0x90,
		0xe8, 0xfa, 0xff, 0xff, 0xff, /* call +1 */
		0xc3 } },
	{ "branch back to the entry",
	  "the branch at f+0x5 goes back to the entry", 8, {
		0x31, 0xc0, 0x90, 0x90, 0x90,
		0x75, 0xf9,                   /* jne +0 */
		0xc3 } },
	{ "branch back to the instruction behind endbr64",
	  "the branch at f+0x9 goes back to the entry", 12, {
		0xf3, 0x0f, 0x1e, 0xfa,       /* endbr64 */
		0x31, 0xc0, 0x90, 0x90, 0x90,
		0x75, 0xf9,                   /* jne +4 */
		0xc3 } },
	{ "branch back to endbr64",
	  "the branch at f+0x9 goes back to the entry", 12, {
		0xf3, 0x0f, 0x1e, 0xfa,       /* endbr64 */
		0x31, 0xc0, 0x90, 0x90, 0x90,
		0xeb, 0xf5,                   /* jmp +0 */
		0xc3 } },
	{ "moved branch back to the entry",
	  "the branch at f+0x2 goes back to the entry", 6, {
		0xff, 0xcf,                   /* dec %edi */
		0x75, 0xfc,                   /* jne +0 */
		0x90, 0xc3 } },
	{ "branch behind bytes that are no instruction",
	  "the branch at f+0x7 leads to +0x2, into the jump", 9, {
		0x31, 0xc0, 0x90, 0x90, 0x90,
		0x06, 0x06,                   /* no instruction */
		0xeb, 0xf9 } },               /* jmp +2 */
	{ "address of an overwritten instruction",
	  "the instruction at f+0x5 refers to +0x2, into the jump", 13, {
		0x31, 0xc0, 0x90, 0x90, 0x90,
		0x48, 0x8d, 0x05, 0xf6, 0xff, 0xff, 0xff, /* lea -10(%rip), %rax */
		0xc3 } },
	{ "no instruction", "no known instruction at +0x2", 6, {
		0x31, 0xc0, 0x06, 0x90, 0x90, 0xc3 } },
	{ "instruction cut by the end", "no known instruction at +0x4", 6, {
		0x90, 0x90, 0x90, 0x90,
		0xb8, 1 } },                  /* mov $…, %eax */
	{ "branch of 16 bits", "no known instruction at +0x0", 7, {
		0x66, 0xe9, 0, 1, 0, 0,       /* data16 jmp */
		0xc3 } },
	{ "breakpoint", "at +0x0: a breakpoint is set there", 6, {
		0xcc, 0x48, 0x89, 0xe5, 0x90, 0xc3 } },
	{ "system call", "at +0x3: a system call", 6, {
		0x31, 0xc0, 0x90,
		0x0f, 0x05,                   /* syscall */
		0xc3 } },
	{ "sysenter", "at +0x3: a system call", 6, {
		0x31, 0xc0, 0x90,
		0x0f, 0x34,                   /* sysenter */
		0xc3 } },
	{ "int 0x80", "at +0x3: a system call", 6, {
		0x31, 0xc0, 0x90,
		0xcd, 0x80,                   /* int $0x80 */
		0xc3 } },
	{ "transaction", "at +0x0: a memory transaction begins there", 7, {
		0xc7, 0xf8, 0, 1, 0, 0,       /* xbegin +0x106 */
		0xc3 } },
	{ "far return", "at +0x3: a far transfer of control", 6, {
		0x31, 0xc0, 0x90,
		0x48, 0xcb,                   /* lretq */
		0xc3 } },
	{ "far call", "at +0x0: a far transfer of control", 7, {
		0x48, 0xff, 0x1d, 0, 1, 0, 0 } }, /* rex.W lcall *0x100(%rip) */
	{ "call through a word of the stack",
	  "at +0x1: a call through the stack pointer", 6, {
		0x90,
		0xff, 0x54, 0x24, 0x08,       /* call *8(%rsp) */
		0xc3 } },
	{ "call of the stack", "at +0x3: a call through the stack pointer", 6, {
		0x31, 0xc0, 0x90,
		0xff, 0xd4,                   /* call *%rsp */
		0xc3 } },
	{ "operand relative to eip", "at +0x0: an operand relative to eip", 8, {
		0x67, 0x8b, 0x05, 0, 1, 0, 0, /* mov 0x100(%eip), %eax */
		0xc3 } },
};
/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Analyzes a heap copy, so that a sanitizer sees a read past the end. */
static int analyze(const uint8_t *code, size_t len, struct arch_entry *entry,
		   struct upatch_error *err)
{
	uint8_t *copy = malloc(len ? len : 1);
	int result;

	memcpy(copy, code, len);
	result = arch_entry_analyze("f", copy, len, ADDR, entry, err);
	free(copy);
	return result;
}

Test(entry, movable_instructions_are_accepted)
{
	for (size_t i = 0; i < COUNT(accepted); i++) {
		const struct accepted *row = &accepted[i];
		struct upatch_error err = { 0 };
		struct arch_entry entry = { 0 };
		int result = analyze(row->code, row->len, &entry, &err);
		int difference;

		cr_expect(eq(int, result, 0), "%s: %s", row->name, err.message);
		cr_expect(eq(u8, entry.jump_offset, row->jump_offset), "%s",
			  row->name);
		cr_expect(eq(u8, entry.moved_end, row->moved_end), "%s",
			  row->name);
		difference = memcmp(entry.bytes, row->code, row->moved_end);
		cr_expect(eq(int, difference, 0), "%s", row->name);
		cr_expect(eq(u64, entry.addr, ADDR), "%s", row->name);
	}
}

Test(entry, others_are_refused_with_the_reason)
{
	for (size_t i = 0; i < COUNT(refused); i++) {
		const struct refused *row = &refused[i];
		struct upatch_error err = { 0 };
		struct arch_entry entry = { .moved_end = 77 };
		int result = analyze(row->code, row->len, &entry, &err);
		int expected = UPATCH_ERROR_MISMATCH;
		bool named = strstr(err.message, row->reason);

		cr_expect(eq(int, result, expected), "%s", row->name);
		cr_expect(named, "%s: %s", row->name, err.message);
		cr_expect(eq(u8, entry.moved_end, 77), "%s: written",
			  row->name);
	}
}

Test(entry, function_cut_below_the_jump_is_too_short)
{
	for (size_t i = 0; i < COUNT(accepted); i++) {
		const struct accepted *row = &accepted[i];

		for (size_t len = 0; len < row->jump_offset + 5u; len++) {
			struct upatch_error err = { 0 };
			struct arch_entry entry;
			int result = analyze(row->code, len, &entry, &err);
			int expected = UPATCH_ERROR_MISMATCH;

			cr_expect(eq(int, result, expected), "%s cut to %zu",
				  row->name, len);
		}
	}
}

static int check_cold_part(const struct arch_entry *entry, const uint8_t *code,
			   size_t len, struct upatch_error *err)
{
	const struct arch_part part = { "f.cold", code, len, ADDR + 0x1000 };

	return arch_entry_check_part("f", entry, &part, err);
}

Test(entry, cold_part_is_searched_for_branches)
{
	/* clang-format off */
	static const uint8_t body[] = {
		0x85, 0xff,                         /* test %edi, %edi */
		0x0f, 0x88, 0xf8, 0x0f, 0, 0,       /* js f.cold */
		0xc3,                               /* ret */
	};
	static const uint8_t harmless[] = {
		0xe9, 0x03, 0xf0, 0xff, 0xff,       /* jmp f+8 */
	};
	static const uint8_t harmful[] = {
		0x90,
		0xe9, 0xfc, 0xef, 0xff, 0xff,       /* jmp f+2 */
	};
	static const uint8_t restarting[] = {
		0xe9, 0xfb, 0xef, 0xff, 0xff,       /* jmp f */
	};
	/* clang-format on */
	struct upatch_error err = { 0 };
	struct arch_entry entry;
	int result = analyze(body, sizeof(body), &entry, &err);
	int mismatch = UPATCH_ERROR_MISMATCH;

	cr_assert(eq(int, result, 0), "%s", err.message);
	result = check_cold_part(&entry, harmless, sizeof(harmless), &err);
	cr_expect(eq(int, result, 0), "%s", err.message);
	result = check_cold_part(&entry, harmful, sizeof(harmful), &err);
	cr_expect(eq(int, result, mismatch));
	cr_expect(eq(
		str, err.message,
		"cannot redirect 'f': the branch at f.cold+0x1 leads to +0x2, into the jump"));
	result = check_cold_part(&entry, restarting, sizeof(restarting), &err);
	cr_expect(eq(int, result, mismatch));
	cr_expect(eq(
		str, err.message,
		"cannot redirect 'f': the branch at f.cold+0x0 goes back to the entry"));
}

Test(entry, random_bytes_are_survived, .timeout = 120)
{
	unsigned long count = random_try_count();
	uint64_t state = 0x5eed;

	for (unsigned long i = 0; i < count; i++) {
		uint64_t code[6];
		struct upatch_error err;
		struct arch_entry entry;
		size_t len = random_next(&state) % (sizeof(code) + 1);

		for (size_t j = 0; j < COUNT(code); j++)
			code[j] = random_next(&state);
		if (analyze((uint8_t *)code, len, &entry, &err))
			continue;
		cr_assert(le(sz, entry.moved_end, len));
		cr_assert(ge(int, entry.moved_end, entry.jump_offset + 5));
	}
}

#define REASONS_MAX 16

struct survey {
	size_t count, too_short, accepted;
	size_t reason_counts[REASONS_MAX];
	char reasons[REASONS_MAX][128];
};

/* The message without names and numbers. */
static void write_reason(const struct elf_function *function,
			 const char *message, char *reason, size_t size)
{
	const char *from = strstr(message, "': ");
	size_t name_len = strlen(function->name), len = 0;

	for (from = from ? from + 3 : message; *from && len + 1 < size;) {
		if (!strncmp(from, function->name, name_len) &&
		    from[name_len] == '+')
			from += name_len;
		if (!strncmp(from, "+0x", 3)) {
			reason[len++] = '+';
			from += 3;
			from += strspn(from, "0123456789abcdef");
		} else {
			reason[len++] = *from++;
		}
	}
	reason[len] = '\0';
}

static void count_reason(struct survey *survey,
			 const struct elf_function *function,
			 const char *message)
{
	char reason[128];
	size_t i;

	write_reason(function, message, reason, sizeof(reason));
	for (i = 0; i < REASONS_MAX - 1; i++) {
		if (!survey->reason_counts[i])
			memcpy(survey->reasons[i], reason, sizeof(reason));
		if (!strcmp(survey->reasons[i], reason))
			break;
	}
	survey->reason_counts[i]++;
}

static void survey_function(const struct elf_function *function, void *user)
{
	struct survey *survey = user;
	struct upatch_error err;
	struct arch_entry entry;
	int result;

	survey->count++;
	if (function->len < ARCH_JUMP_LEN) {
		survey->too_short++;
		return;
	}
	result =
		arch_entry_analyze(function->name, function->code,
				   function->len, function->addr, &entry, &err);
	if (!result)
		survey->accepted++;
	else
		count_reason(survey, function, err.message);
}

static void survey_program(const char *path)
{
	struct survey survey = { 0 };
	size_t candidates;

	if (!elf_functions_visit(path, survey_function, &survey))
		cr_skip("no %s here", path);
	candidates = survey.count - survey.too_short;
	cr_log_info("%s: %zu functions, %zu too short, %zu of %zu accepted",
		    path, survey.count, survey.too_short, survey.accepted,
		    candidates);
	for (size_t i = 0; i < REASONS_MAX && survey.reason_counts[i]; i++)
		cr_log_info("%s: %zu refused: %s", path,
			    survey.reason_counts[i], survey.reasons[i]);
	cr_assert(ge(sz, survey.accepted * 100, candidates * 95));
}

Test(entry, functions_of_nginx_are_accepted)
{
	survey_program("/usr/sbin/nginx");
}

Test(entry, functions_of_redis_server_are_accepted)
{
	survey_program("/usr/bin/redis-server");
}
