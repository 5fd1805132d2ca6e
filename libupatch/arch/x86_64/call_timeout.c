/* SPDX-License-Identifier: MIT */
/* Time-outs of system calls on x86-64. */
#include "../call_timeout.h"

#include <sys/syscall.h>

#include "effect.h"

#define SYSCALL_INSN_LEN 2
/* Wrappers of libc have fewer instructions and branches behind the call. */
#define STEPS_MAX 64
#define WAYS_MAX  16

/* The processor's numbers, in the order of the arguments (psABI A.2.1). */
static const uint8_t argument_numbers[ARCH_CALL_ARGUMENTS] = {
	RDI, RSI, RDX, R10, R8, R9,
};

bool arch_timeout_find(uint64_t number, struct arch_timeout *ret_timeout)
{
	switch (number) {
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
		*ret_timeout =
			(struct arch_timeout){ ARCH_TIMEOUT_MILLISECONDS, 3 };
		return true;
	case SYS_epoll_pwait2:
	case SYS_semtimedop:
		*ret_timeout =
			(struct arch_timeout){ ARCH_TIMEOUT_TIMESPEC, 3 };
		return true;
	case SYS_rt_sigtimedwait:
		*ret_timeout =
			(struct arch_timeout){ ARCH_TIMEOUT_TIMESPEC, 2 };
		return true;
	case SYS_io_getevents:
	case SYS_io_pgetevents:
		*ret_timeout =
			(struct arch_timeout){ ARCH_TIMEOUT_TIMESPEC, 4 };
		return true;
	default:
		return false;
	}
}

uint64_t arch_pending_number(const struct arch_regs *regs)
{
	return regs->user.rax;
}

upatch_addr_t arch_pending_pc(const struct arch_regs *regs)
{
	return regs->user.rip + SYSCALL_INSN_LEN;
}

static unsigned long long *argument_of(struct user_regs_struct *user,
				       unsigned int argument)
{
	switch (argument_numbers[argument]) {
	case RDI:
		return &user->rdi;
	case RSI:
		return &user->rsi;
	case RDX:
		return &user->rdx;
	case R10:
		return &user->r10;
	case R8:
		return &user->r8;
	default:
		return &user->r9;
	}
}

uint64_t arch_argument(const struct arch_regs *regs, unsigned int argument)
{
	struct user_regs_struct user = regs->user;

	return *argument_of(&user, argument);
}

void arch_set_argument(struct arch_regs *regs, unsigned int argument,
		       uint64_t value)
{
	*argument_of(&regs->user, argument) = value;
}

struct ways {
	upatch_addr_t todo[WAYS_MAX];
	size_t todo_count;
	upatch_addr_t seen[WAYS_MAX];
	size_t seen_count;
};

/* False: too many. */
static bool add_way(struct ways *ways, upatch_addr_t addr)
{
	for (size_t i = 0; i < ways->seen_count; i++) {
		if (ways->seen[i] == addr)
			return true;
	}
	if (ways->seen_count == WAYS_MAX)
		return false;
	ways->seen[ways->seen_count++] = addr;
	ways->todo[ways->todo_count++] = addr;
	return true;
}

enum step {
	STEP_ON,
	STEP_END,
	STEP_UNKNOWN,
};

/* A write that is narrower than the register leaves a part of it. */
static bool is_written(const struct effect *effect, uint8_t number)
{
	return effect->writes.general & GENERAL_BIT(number) &&
	       (effect->move == EFFECT_LOAD || effect->move == EFFECT_FIXED ||
		effect->move == EFFECT_POP || effect->move == EFFECT_ADD) &&
	       effect->dst == number;
}

static enum step step_over(const struct effect *effect, uint8_t number,
			   struct ways *ways)
{
	const struct insn *insn = &effect->insn;

	if (effect->opaque || effect->reads.general & GENERAL_BIT(number))
		return STEP_UNKNOWN;
	if (effect->stops || is_written(effect, number))
		return STEP_END;
	switch (insn->kind) {
	case INSN_PLAIN:
		return STEP_ON;
	case INSN_CONDITIONAL:
		return add_way(ways, insn->target) ? STEP_ON : STEP_UNKNOWN;
	case INSN_JUMP:
		return add_way(ways, insn->target) ? STEP_END : STEP_UNKNOWN;
	case INSN_CALL:
	case INSN_RETURN:
		return STEP_END;
	default:
		return STEP_UNKNOWN;
	}
}

bool arch_argument_is_dead(const uint8_t *code, size_t len, upatch_addr_t pc,
			   unsigned int argument)
{
	const uint8_t number = argument_numbers[argument];
	struct insn_decoder decoder;
	struct ways ways = { 0 };
	size_t steps = 0;
	enum step step = STEP_END;

	if (insn_decoder_init(&decoder, NULL))
		return false;
	add_way(&ways, pc);
	while (ways.todo_count && step != STEP_UNKNOWN) {
		upatch_addr_t at = ways.todo[--ways.todo_count];

		do {
			struct effect effect;

			step = STEP_UNKNOWN;
			if (at - pc < len && steps++ < STEPS_MAX &&
			    effect_decode(&decoder, code + (at - pc),
					  len - (at - pc), at, &effect)) {
				step = step_over(&effect, number, &ways);
				at += effect.insn.len;
			}
		} while (step == STEP_ON);
	}
	insn_decoder_fini(&decoder);
	return step != STEP_UNKNOWN;
}
