/* SPDX-License-Identifier: MIT */
/* Seccomp filters, executed for calls that are known in part. */
#include "seccomp_program.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>

/* Jumps only lead forward, but undecided ones double the ways. */
#define STEP_LIMIT (64 * SECCOMP_PROGRAM_MAX)

#define GIVE_UP SECCOMP_RET_KILL_PROCESS

/* The bits in `known` are those of `value`, the others can be either. */
struct word {
	uint32_t value, known;
};

static const struct word any_word = { 0, 0 };

struct machine {
	const struct sock_filter *insns;
	size_t count;
	const struct seccomp_call *call;
	size_t steps;
	uint32_t strictest;
};

struct registers {
	size_t pc;
	struct word a, x, memory[BPF_MEMWORDS];
};

uint32_t seccomp_action_stricter(uint32_t a, uint32_t b)
{
	/* kernel/seccomp.c, ACTION_ONLY: as signed numbers, lower is stricter. */
	int32_t first = (int32_t)(a & SECCOMP_RET_ACTION_FULL);
	int32_t second = (int32_t)(b & SECCOMP_RET_ACTION_FULL);

	return second < first ? b : a;
}

static struct word known_word(uint32_t value)
{
	return (struct word){ value, UINT32_MAX };
}

/* A word of struct seccomp_data; its instruction pointer is not known. */
static struct word load_data(const struct seccomp_call *call, uint32_t offset)
{
	const uint32_t args = offsetof(struct seccomp_data, args);
	uint32_t index, half;

	if (offset == offsetof(struct seccomp_data, nr))
		return known_word(call->nr);
	if (offset == offsetof(struct seccomp_data, arch))
		return known_word(call->arch);
	if (offset < args)
		return any_word;
	index = (offset - args) / 8;
	half = (offset - args) % 8;
	if (!(call->known >> index & 1))
		return any_word;
	return known_word((uint32_t)(call->args[index] >> (8 * half)));
}

static struct word shift(uint16_t op, struct word a, uint32_t by)
{
	uint32_t vacated;

	/* The kernel refuses constants beyond 31, and masks a register's. */
	by &= 31;
	if (op == BPF_LSH) {
		vacated = ((uint64_t)1 << by) - 1;
		return (struct word){ a.value << by, a.known << by | vacated };
	}
	vacated = ~(UINT32_MAX >> by);
	return (struct word){ a.value >> by, a.known >> by | vacated };
}

static uint32_t calculate(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return a / b;
	case BPF_XOR:
		return a ^ b;
	default:
		return -a; /* BPF_NEG */
	}
}

static struct word operate(uint16_t op, struct word a, struct word b)
{
	struct word result;

	switch (op) {
	case BPF_AND:
		result.known = (a.known & b.known) | (a.known & ~a.value) |
			       (b.known & ~b.value);
		result.value = a.value & b.value & result.known;
		return result;
	case BPF_OR:
		result.known = (a.known & b.known) | (a.known & a.value) |
			       (b.known & b.value);
		result.value = (a.value | b.value) & result.known;
		return result;
	case BPF_LSH:
	case BPF_RSH:
		return b.known == UINT32_MAX ? shift(op, a, b.value) : any_word;
	default:
		if (op == BPF_NEG)
			b = known_word(0);
		if (a.known != UINT32_MAX || b.known != UINT32_MAX)
			return any_word;
		return known_word(calculate(op, a.value, b.value));
	}
}

struct outcomes {
	bool can_be_true, can_be_false;
};

static struct outcomes compare(uint16_t op, struct word a, struct word b)
{
	uint32_t both = a.known & b.known;
	uint32_t low = a.value, high = a.value | ~a.known;
	uint32_t other_low = b.value, other_high = b.value | ~b.known;

	switch (op) {
	case BPF_JEQ:
		return (struct outcomes){
			.can_be_true = !((a.value ^ b.value) & both),
			.can_be_false =
				both != UINT32_MAX || a.value != b.value,
		};
	case BPF_JGT:
		return (struct outcomes){ high > other_low, low <= other_high };
	case BPF_JGE:
		return (struct outcomes){ high >= other_low, low < other_high };
	default: /* BPF_JSET */
		return (struct outcomes){
			.can_be_true = high & other_high,
			.can_be_false = !(low & other_low),
		};
	}
}

static void note_return(struct machine *machine, uint32_t action)
{
	machine->strictest =
		seccomp_action_stricter(machine->strictest, action);
}

static void load(const struct machine *machine, const struct sock_filter *insn,
		 const struct registers *registers, struct word *to)
{
	switch (BPF_MODE(insn->code)) {
	case BPF_ABS:
		*to = load_data(machine->call, insn->k);
		break;
	case BPF_IMM:
		*to = known_word(insn->k);
		break;
	case BPF_LEN:
		*to = known_word(sizeof(struct seccomp_data));
		break;
	default: /* BPF_MEM */
		*to = registers->memory[insn->k];
	}
}

/* kernel/seccomp.c, seccomp_check_filter, and what the numbers must be. */
static bool is_valid(const struct sock_filter *insn, size_t left)
{
	switch (insn->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return insn->k < sizeof(struct seccomp_data) && !(insn->k & 3);
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return insn->k < BPF_MEMWORDS;
	case BPF_JMP | BPF_JA:
		return insn->k < left;
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
		return true;
	default:
		break;
	}
	if (insn->code > UINT8_MAX)
		return false;
	if (BPF_CLASS(insn->code) == BPF_ALU)
		return BPF_OP(insn->code) <= BPF_XOR &&
		       BPF_OP(insn->code) != BPF_MOD;
	return BPF_CLASS(insn->code) == BPF_JMP &&
	       BPF_OP(insn->code) >= BPF_JEQ &&
	       BPF_OP(insn->code) <= BPF_JSET && insn->jt < left &&
	       insn->jf < left;
}

/* False: this way through the program has ended. */
static bool execute(struct machine *machine, struct registers *registers,
		    const struct sock_filter *insn)
{
	struct word operand = BPF_SRC(insn->code) == BPF_X
				      ? registers->x
				      : known_word(insn->k);

	switch (BPF_CLASS(insn->code)) {
	case BPF_LD:
		load(machine, insn, registers, &registers->a);
		return true;
	case BPF_LDX:
		load(machine, insn, registers, &registers->x);
		return true;
	case BPF_ST:
		registers->memory[insn->k] = registers->a;
		return true;
	case BPF_STX:
		registers->memory[insn->k] = registers->x;
		return true;
	case BPF_ALU:
		/* A division by 0 ends the program, which returns 0. */
		if (BPF_OP(insn->code) == BPF_DIV && !operand.value)
			note_return(machine, SECCOMP_RET_KILL_THREAD);
		if (BPF_OP(insn->code) == BPF_DIV && !operand.value &&
		    operand.known == UINT32_MAX)
			return false;
		registers->a =
			operate(BPF_OP(insn->code), registers->a, operand);
		return true;
	case BPF_MISC:
		if (BPF_MISCOP(insn->code) == BPF_TAX)
			registers->x = registers->a;
		else
			registers->a = registers->x;
		return true;
	default: /* BPF_RET */
		if (BPF_RVAL(insn->code) == BPF_K)
			note_return(machine, insn->k);
		else if (registers->a.known == UINT32_MAX)
			note_return(machine, registers->a.value);
		else
			note_return(machine, GIVE_UP);
		return false;
	}
}

static void run(struct machine *machine, struct registers registers)
{
	while (registers.pc < machine->count) {
		const struct sock_filter *insn = &machine->insns[registers.pc];
		size_t left = machine->count - ++registers.pc;
		struct outcomes outcomes;

		if (machine->steps++ == STEP_LIMIT || !is_valid(insn, left))
			break;
		if (insn->code == (BPF_JMP | BPF_JA)) {
			registers.pc += insn->k;
			continue;
		}
		if (BPF_CLASS(insn->code) != BPF_JMP) {
			if (!execute(machine, &registers, insn))
				return;
			continue;
		}
		outcomes = compare(BPF_OP(insn->code), registers.a,
				   BPF_SRC(insn->code) == BPF_X
					   ? registers.x
					   : known_word(insn->k));
		if (outcomes.can_be_true && outcomes.can_be_false) {
			struct registers other = registers;

			other.pc += insn->jt;
			run(machine, other);
			if (machine->strictest == GIVE_UP)
				return;
		}
		registers.pc += outcomes.can_be_false ? insn->jf : insn->jt;
	}
	note_return(machine, GIVE_UP);
}

uint32_t seccomp_program_judge(const struct sock_filter *insns, size_t count,
			       const struct seccomp_call *call)
{
	struct machine machine = {
		.insns = insns,
		.count = count,
		.call = call,
		.strictest = SECCOMP_RET_ALLOW,
	};
	struct registers registers = { 0 };

	/* A, X and the memory begin as 0 (net/core/filter.c). */
	registers.a = registers.x = known_word(0);
	for (size_t i = 0; i < BPF_MEMWORDS; i++)
		registers.memory[i] = known_word(0);
	run(&machine, registers);
	return machine.strictest;
}
