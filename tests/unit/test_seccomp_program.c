/* SPDX-License-Identifier: MIT */
/*
 * Seccomp filters: by hand, against the kernel, and with arguments unknown.
 */
#include "random_bytes.h"
#include "seccomp_program.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(seccomp_program, .timeout = 60);

#define COUNT(array)	  (sizeof(array) / sizeof((array)[0]))
#define LOAD(field)	  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (field))
#define NUMBER		  offsetof(struct seccomp_data, nr)
#define ARG(index)	  (offsetof(struct seccomp_data, args) + 8 * (index))
#define RETURN(action)	  BPF_STMT(BPF_RET | BPF_K, (action))
#define IF(op, k, jt, jf) BPF_JUMP(BPF_JMP | (op) | BPF_K, (k), (jt), (jf))
#define FAIL(number)	  (SECCOMP_RET_ERRNO | (number))

/* A number that no kernel has a call for. */
#define FREE_NUMBER 4000

static struct seccomp_call call_of(uint32_t nr, uint64_t first, bool is_known)
{
	return (struct seccomp_call){
		.arch = AUDIT_ARCH_X86_64,
		.nr = nr,
		.args = { first },
		.known = is_known,
	};
}

/* --- By hand ------------------------------------------------------------- */

/* One call fails, and another if its first argument has bit 2. */
static const struct sock_filter two_rules[] = {
	LOAD(NUMBER),
	IF(BPF_JEQ, SYS_socket, 0, 1),
	RETURN(FAIL(EPERM)),
	IF(BPF_JEQ, SYS_personality, 0, 2),
	LOAD(ARG(0)),
	IF(BPF_JSET, 4, 1, 0),
	RETURN(SECCOMP_RET_ALLOW),
	RETURN(SECCOMP_RET_KILL_PROCESS),
};

static void expect(const struct sock_filter *insns, size_t count,
		   struct seccomp_call call, uint32_t action)
{
	uint32_t judged = seccomp_program_judge(insns, count, &call);

	cr_assert(eq(u32, judged, action));
}

Test(seccomp_program, rules_by_number_and_argument)
{
	expect(two_rules, COUNT(two_rules), call_of(SYS_read, 4, true),
	       SECCOMP_RET_ALLOW);
	expect(two_rules, COUNT(two_rules), call_of(SYS_socket, 0, false),
	       FAIL(EPERM));
	expect(two_rules, COUNT(two_rules), call_of(SYS_personality, 3, true),
	       SECCOMP_RET_ALLOW);
	expect(two_rules, COUNT(two_rules), call_of(SYS_personality, 12, true),
	       SECCOMP_RET_KILL_PROCESS);
}

Test(seccomp_program, unknown_argument_takes_the_strictest_way)
{
	expect(two_rules, COUNT(two_rules), call_of(SYS_personality, 3, false),
	       SECCOMP_RET_KILL_PROCESS);
}

Test(seccomp_program, masked_bits_are_known)
{
	const struct sock_filter insns[] = {
		LOAD(ARG(0)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
		IF(BPF_JGT, 15, 0, 1),
		RETURN(SECCOMP_RET_TRAP),
		BPF_STMT(BPF_ALU | BPF_OR | BPF_K, 0x100),
		IF(BPF_JSET, 0x100, 1, 0),
		RETURN(SECCOMP_RET_KILL_THREAD),
		RETURN(FAIL(ENOSYS)),
	};

	expect(insns, COUNT(insns), call_of(SYS_read, 0, false), FAIL(ENOSYS));
}

/* x32 programs: bit 30 of the number, the same architecture. */
Test(seccomp_program, number_of_another_abi)
{
	const struct sock_filter insns[] = {
		LOAD(offsetof(struct seccomp_data, arch)),
		IF(BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		LOAD(NUMBER),
		IF(BPF_JGE, 0x40000000, 0, 1),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		RETURN(SECCOMP_RET_ALLOW),
	};

	expect(insns, COUNT(insns), call_of(SYS_read, 0, false),
	       SECCOMP_RET_ALLOW);
	expect(insns, COUNT(insns), call_of(0x40000000 | SYS_read, 0, false),
	       SECCOMP_RET_KILL_PROCESS);
	expect(insns, COUNT(insns), call_of(UINT32_MAX, 0, false),
	       SECCOMP_RET_KILL_PROCESS);
}

Test(seccomp_program, what_the_kernel_would_not_take_kills)
{
	const struct sock_filter cases[][2] = {
		{ RETURN(SECCOMP_RET_ALLOW) },
		{ LOAD(64), RETURN(SECCOMP_RET_ALLOW) },
		{ LOAD(2), RETURN(SECCOMP_RET_ALLOW) },
		{ BPF_STMT(BPF_LD | BPF_MEM, BPF_MEMWORDS),
		  RETURN(SECCOMP_RET_ALLOW) },
		{ BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3),
		  RETURN(SECCOMP_RET_ALLOW) },
		{ BPF_STMT(BPF_JMP | BPF_JA, 1), RETURN(SECCOMP_RET_ALLOW) },
		{ IF(BPF_JEQ, 0, 1, 1), RETURN(SECCOMP_RET_ALLOW) },
		{ BPF_STMT(0xffff, 0), RETURN(SECCOMP_RET_ALLOW) },
	};

	expect(cases[0], 1, call_of(SYS_read, 0, true), SECCOMP_RET_ALLOW);
	expect(cases[0], 0, call_of(SYS_read, 0, true),
	       SECCOMP_RET_KILL_PROCESS);
	for (size_t i = 1; i < COUNT(cases); i++)
		expect(cases[i], 2, call_of(SYS_read, 0, true),
		       SECCOMP_RET_KILL_PROCESS);
}

/* Each test of an unknown word doubles the ways: it ends all the same. */
Test(seccomp_program, intricate_programs_are_given_up)
{
	struct sock_filter insns[SECCOMP_PROGRAM_MAX];
	size_t count = 0;

	insns[count++] = (struct sock_filter)LOAD(ARG(0));
	while (count + 2 < COUNT(insns)) {
		insns[count] = (struct sock_filter)IF(BPF_JEQ, count + 1, 0, 1);
		count++;
		insns[count++] =
			(struct sock_filter)BPF_STMT(BPF_ALU | BPF_ADD | BPF_K,
						     1);
	}
	insns[count++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	expect(insns, count, call_of(SYS_read, 0, false),
	       SECCOMP_RET_KILL_PROCESS);
	expect(insns, count, call_of(SYS_read, 0, true), SECCOMP_RET_ALLOW);
}

Test(seccomp_program, stricter_of_two_actions)
{
	const uint32_t from_strict_on[] = {
		SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD,
		SECCOMP_RET_TRAP,	  FAIL(EPERM),
		SECCOMP_RET_USER_NOTIF,	  SECCOMP_RET_TRACE,
		SECCOMP_RET_LOG,	  SECCOMP_RET_ALLOW,
	};

	for (size_t i = 0; i + 1 < COUNT(from_strict_on); i++) {
		uint32_t a = from_strict_on[i], b = from_strict_on[i + 1];
		uint32_t first = seccomp_action_stricter(a, b);
		uint32_t second = seccomp_action_stricter(b, a);

		cr_assert(eq(u32, first, a));
		cr_assert(eq(u32, second, a));
	}
}

/* --- At random ----------------------------------------------------------- */

#define RANDOM_MAX 40

static uint64_t random_state = 0x5ecc0;

static uint64_t next_random(void)
{
	return random_next(&random_state);
}

static uint32_t random_below(uint32_t limit)
{
	return (uint32_t)(next_random() >> 20) % limit;
}

static uint32_t some_constant(void)
{
	/* Small ones and single bits meet more often. */
	switch (random_below(4)) {
	case 0:
		return random_below(8);
	case 1:
		return 1u << random_below(32);
	default:
		return (uint32_t)next_random();
	}
}

static struct sock_filter some_insn(size_t left)
{
	static const uint16_t alu[] = { BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV,
					BPF_AND, BPF_OR,  BPF_XOR, BPF_LSH,
					BPF_RSH, BPF_NEG };
	static const uint16_t jumps[] = { BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET };
	uint16_t source = random_below(2) ? BPF_X : BPF_K;
	struct sock_filter insn = { .k = random_below(BPF_MEMWORDS) };
	uint16_t op;

	switch (random_below(8)) {
	case 0:
	case 1:
		insn.code = BPF_LD | BPF_W | BPF_ABS;
		/* not the instruction pointer */
		insn.k = random_below(2) ? 4 * random_below(2)
					 : 16 + 4 * random_below(12);
		return insn;
	case 2:
		insn.code = random_below(2) ? BPF_ST : BPF_STX;
		return insn;
	case 3:
		insn.code = (random_below(2) ? BPF_LD : BPF_LDX) | BPF_MEM;
		return insn;
	case 4:
		insn.code = BPF_MISC | (random_below(2) ? BPF_TAX : BPF_TXA);
		return insn;
	case 5:
		op = alu[random_below(COUNT(alu))];
		insn.code = BPF_ALU | op | source;
		insn.k = some_constant();
		if (op == BPF_LSH || op == BPF_RSH)
			insn.k &= 31;
		if (op == BPF_DIV)
			insn.k |= 1;
		if (op == BPF_NEG)
			insn.code = BPF_ALU | BPF_NEG;
		return insn;
	default:
		insn.code =
			BPF_JMP | jumps[random_below(COUNT(jumps))] | source;
		insn.k = some_constant();
		insn.jt = (uint8_t)random_below((uint32_t)left);
		insn.jf = (uint8_t)random_below((uint32_t)left);
		return insn;
	}
}

/* Returns errors alone, which tell where the program has come out. */
static size_t some_program(struct sock_filter insns[RANDOM_MAX])
{
	size_t count = 8 + random_below(RANDOM_MAX - 8);

	for (size_t i = 0; i < count; i++) {
		if (i + 1 == count || (i > 4 && random_below(6) == 0))
			insns[i] = (struct sock_filter)RETURN(
				FAIL(1 + random_below(1000)));
		else
			insns[i] = some_insn(count - i - 1);
	}
	return count;
}

static struct seccomp_call some_call(void)
{
	struct seccomp_call call = call_of(FREE_NUMBER, 0, true);

	for (int i = 0; i < 6; i++)
		call.args[i] =
			(uint64_t)some_constant() << 32 | some_constant();
	call.known = 0x3f;
	return call;
}

/* In a process of its own, as a filter stays; 0: killed by it. */
static int ask_kernel(const struct sock_filter *insns, size_t count,
		      const struct seccomp_call *call)
{
	const struct sock_filter head[] = {
		LOAD(NUMBER),
		IF(BPF_JEQ, FREE_NUMBER, 1, 0),
		RETURN(SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_LD | BPF_IMM, 0),
	};
	struct sock_filter whole[RANDOM_MAX + COUNT(head) + BPF_MEMWORDS];
	struct sock_fprog program = { .filter = whole };
	int answer = -1, status = 0, fds[2];
	pid_t child;

	memcpy(whole, head, sizeof(head));
	program.len = COUNT(head);
	/* What was never stored may not be loaded. */
	for (uint32_t i = 0; i < BPF_MEMWORDS; i++)
		whole[program.len++] = (struct sock_filter)BPF_STMT(BPF_ST, i);
	memcpy(whole + program.len, insns, count * sizeof(*insns));
	program.len = (unsigned short)(program.len + count);
	if (pipe(fds))
		return -1;
	child = fork();
	if (child == 0) {
		const uint64_t *args = call->args;

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
			_exit(1);
		syscall(FREE_NUMBER, args[0], args[1], args[2], args[3],
			args[4], args[5]);
		answer = errno;
		_exit(write(fds[1], &answer, sizeof(answer)) != sizeof(answer));
	}
	close(fds[1]);
	if (read(fds[0], &answer, sizeof(answer)) != sizeof(answer))
		answer = -1;
	close(fds[0]);
	waitpid(child, &status, 0);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? 0 : answer;
}

Test(seccomp_program, judges_as_the_kernel_does)
{
	for (int i = 0; i < 400; i++) {
		struct sock_filter insns[RANDOM_MAX];
		size_t count = some_program(insns);
		struct seccomp_call call = some_call();
		uint32_t action = seccomp_program_judge(insns, count, &call);
		int judged = (int)(action & SECCOMP_RET_DATA);
		int answer = ask_kernel(insns, count, &call);

		if (answer < 0)
			cr_fatal("program %d was not taken", i);
		if (judged != answer)
			cr_fatal("program %d: judged %d, the kernel says %d", i,
				 judged, answer);
	}
}

/* As above, but what it returns is stricter or less so. */
static void mix_actions(struct sock_filter *insns, size_t count)
{
	static const uint32_t actions[] = {
		SECCOMP_RET_ALLOW,	  SECCOMP_RET_LOG,  FAIL(EPERM),
		SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_TRAP,
	};

	for (size_t i = 0; i < count; i++) {
		if (insns[i].code == (BPF_RET | BPF_K))
			insns[i].k = actions[random_below(COUNT(actions))];
	}
}

Test(seccomp_program, what_is_unknown_never_makes_it_laxer)
{
	for (unsigned long i = 0; i < random_try_count(); i++) {
		struct sock_filter insns[RANDOM_MAX];
		size_t count = some_program(insns);
		struct seccomp_call call = some_call();
		uint32_t full, part;

		mix_actions(insns, count);
		full = seccomp_program_judge(insns, count, &call);
		call.known = (uint8_t)random_below(0x40);
		for (int arg = 0; arg < 6; arg++) {
			if (!(call.known >> arg & 1))
				call.args[arg] = next_random();
		}
		part = seccomp_program_judge(insns, count, &call);
		if (seccomp_action_stricter(part, full) != part)
			cr_fatal(
				"program %lu: %#x where all is known, %#x else",
				i, full, part);
	}
}
