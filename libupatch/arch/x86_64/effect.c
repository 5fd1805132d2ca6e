/* SPDX-License-Identifier: MIT */
/*
 * Capstone's tables of what is read and written, corrected where version 4.0.2
 * is wrong: found by comparing it with Zydis over the code of large libraries.
 */
#include "effect.h"

#include <capstone/capstone.h>
#include <string.h>

/* What the general registers are to each other; 0 in the table: none. */
#define NUMBER(n) ((n) + 1)

/* clang-format off */
static const uint8_t general_numbers[X86_REG_ENDING] = {
	[X86_REG_RAX] = NUMBER(RAX), [X86_REG_EAX] = NUMBER(RAX),
	[X86_REG_AX] = NUMBER(RAX), [X86_REG_AL] = NUMBER(RAX),
	[X86_REG_AH] = NUMBER(RAX),
	[X86_REG_RCX] = NUMBER(RCX), [X86_REG_ECX] = NUMBER(RCX),
	[X86_REG_CX] = NUMBER(RCX), [X86_REG_CL] = NUMBER(RCX),
	[X86_REG_CH] = NUMBER(RCX),
	[X86_REG_RDX] = NUMBER(RDX), [X86_REG_EDX] = NUMBER(RDX),
	[X86_REG_DX] = NUMBER(RDX), [X86_REG_DL] = NUMBER(RDX),
	[X86_REG_DH] = NUMBER(RDX),
	[X86_REG_RBX] = NUMBER(RBX), [X86_REG_EBX] = NUMBER(RBX),
	[X86_REG_BX] = NUMBER(RBX), [X86_REG_BL] = NUMBER(RBX),
	[X86_REG_BH] = NUMBER(RBX),
	[X86_REG_RSP] = NUMBER(RSP), [X86_REG_ESP] = NUMBER(RSP),
	[X86_REG_SP] = NUMBER(RSP), [X86_REG_SPL] = NUMBER(RSP),
	[X86_REG_RBP] = NUMBER(RBP), [X86_REG_EBP] = NUMBER(RBP),
	[X86_REG_BP] = NUMBER(RBP), [X86_REG_BPL] = NUMBER(RBP),
	[X86_REG_RSI] = NUMBER(RSI), [X86_REG_ESI] = NUMBER(RSI),
	[X86_REG_SI] = NUMBER(RSI), [X86_REG_SIL] = NUMBER(RSI),
	[X86_REG_RDI] = NUMBER(RDI), [X86_REG_EDI] = NUMBER(RDI),
	[X86_REG_DI] = NUMBER(RDI), [X86_REG_DIL] = NUMBER(RDI),
};

/*
 * Which general registers these write, whatever Capstone says.  It counts the
 * accumulator of `test` and of what compares with it or extends it as
 * written, and misses what the kernel does: entry_64.S, "registers on entry".
 */
static const struct {
	x86_insn id;
	uint32_t general;
} exact_writes[] = {
	{ X86_INS_TEST, 0 },
	{ X86_INS_CMP, 0 },
	{ X86_INS_CWD, GENERAL_BIT(RDX) },
	{ X86_INS_CDQ, GENERAL_BIT(RDX) },
	{ X86_INS_CQO, GENERAL_BIT(RDX) },
	{ X86_INS_SYSCALL,
	  GENERAL_BIT(RAX) | GENERAL_BIT(RCX) | GENERAL_BIT(R11) },
	{ X86_INS_INT, GENERAL_BIT(RAX) },
	{ X86_INS_XLATB, GENERAL_BIT(RAX) },
	{ X86_INS_ENTER, GENERAL_BIT(RSP) | GENERAL_BIT(RBP) },
};

/* String instructions; with a repeat prefix they write rcx as well. */
static const struct {
	x86_insn id;
	uint32_t general;
} string_writes[] = {
	{ X86_INS_MOVSB, GENERAL_BIT(RSI) | GENERAL_BIT(RDI) },
	{ X86_INS_MOVSW, GENERAL_BIT(RSI) | GENERAL_BIT(RDI) },
	{ X86_INS_MOVSQ, GENERAL_BIT(RSI) | GENERAL_BIT(RDI) },
	{ X86_INS_CMPSB, GENERAL_BIT(RSI) | GENERAL_BIT(RDI) },
	{ X86_INS_CMPSW, GENERAL_BIT(RSI) | GENERAL_BIT(RDI) },
	{ X86_INS_CMPSQ, GENERAL_BIT(RSI) | GENERAL_BIT(RDI) },
	{ X86_INS_STOSB, GENERAL_BIT(RDI) },
	{ X86_INS_STOSW, GENERAL_BIT(RDI) },
	{ X86_INS_STOSD, GENERAL_BIT(RDI) },
	{ X86_INS_STOSQ, GENERAL_BIT(RDI) },
	{ X86_INS_SCASB, GENERAL_BIT(RDI) },
	{ X86_INS_SCASW, GENERAL_BIT(RDI) },
	{ X86_INS_SCASD, GENERAL_BIT(RDI) },
	{ X86_INS_SCASQ, GENERAL_BIT(RDI) },
	{ X86_INS_LODSB, GENERAL_BIT(RAX) | GENERAL_BIT(RSI) },
	{ X86_INS_LODSW, GENERAL_BIT(RAX) | GENERAL_BIT(RSI) },
	{ X86_INS_LODSD, GENERAL_BIT(RAX) | GENERAL_BIT(RSI) },
	{ X86_INS_LODSQ, GENERAL_BIT(RAX) | GENERAL_BIT(RSI) },
	{ X86_INS_INSB, GENERAL_BIT(RDI) },
	{ X86_INS_INSW, GENERAL_BIT(RDI) },
	{ X86_INS_INSD, GENERAL_BIT(RDI) },
	{ X86_INS_OUTSB, GENERAL_BIT(RSI) },
	{ X86_INS_OUTSW, GENERAL_BIT(RSI) },
	{ X86_INS_OUTSD, GENERAL_BIT(RSI) },
};
/* clang-format on */

static uint8_t general_number(x86_reg reg)
{
	if (reg >= X86_REG_R8 && reg <= X86_REG_R15)
		return (uint8_t)(R8 + reg - X86_REG_R8);
	if (reg >= X86_REG_R8D && reg <= X86_REG_R15D)
		return (uint8_t)(R8 + reg - X86_REG_R8D);
	if (reg >= X86_REG_R8W && reg <= X86_REG_R15W)
		return (uint8_t)(R8 + reg - X86_REG_R8W);
	if (reg >= X86_REG_R8B && reg <= X86_REG_R15B)
		return (uint8_t)(R8 + reg - X86_REG_R8B);
	if (reg >= X86_REG_ENDING || !general_numbers[reg])
		return GENERAL_NONE;
	return (uint8_t)(general_numbers[reg] - NUMBER(0));
}

/* A register that holds a whole address. */
static uint8_t address_number(x86_reg reg)
{
	if ((reg >= X86_REG_R8 && reg <= X86_REG_R15) || reg == X86_REG_RAX ||
	    reg == X86_REG_RCX || reg == X86_REG_RDX || reg == X86_REG_RBX ||
	    reg == X86_REG_RSP || reg == X86_REG_RBP || reg == X86_REG_RSI ||
	    reg == X86_REG_RDI)
		return general_number(reg);
	return GENERAL_NONE;
}

static void add_register(struct clobber_set *set, x86_reg reg)
{
	uint8_t number = general_number(reg);

	if (number != GENERAL_NONE)
		set->general |= GENERAL_BIT(number);
	else if (reg >= X86_REG_XMM0 && reg <= X86_REG_XMM31)
		set->vector |= 1u << (reg - X86_REG_XMM0);
	else if (reg >= X86_REG_YMM0 && reg <= X86_REG_YMM31)
		set->vector |= 1u << (reg - X86_REG_YMM0);
	else if (reg >= X86_REG_ZMM0 && reg <= X86_REG_ZMM31)
		set->vector |= 1u << (reg - X86_REG_ZMM0);
	else if (reg >= X86_REG_K0 && reg <= X86_REG_K7)
		set->opmask |= 1u << (reg - X86_REG_K0);
}

static bool is_gather(unsigned int id)
{
	switch (id) {
	case X86_INS_VGATHERDPD:
	case X86_INS_VGATHERDPS:
	case X86_INS_VGATHERQPD:
	case X86_INS_VGATHERQPS:
	case X86_INS_VPGATHERDD:
	case X86_INS_VPGATHERDQ:
	case X86_INS_VPGATHERQD:
	case X86_INS_VPGATHERQQ:
		return true;
	default:
		return false;
	}
}

static void add_operands(const cs_x86 *x86, unsigned int id,
			 struct effect *effect)
{
	struct clobber_set uses = { 0 };

	for (uint8_t i = 0; i < x86->op_count; i++) {
		const cs_x86_op *op = &x86->operands[i];

		if (op->type != X86_OP_REG)
			continue;
		if (op->access & CS_AC_READ)
			add_register(&uses, op->reg);
		/* the mask, too, is overwritten */
		if (is_gather(id))
			add_register(&effect->writes, op->reg);
	}
	effect->uses |= uses.general;
}

/* movsd and cmpsd are also vector instructions, with an opcode of 0f. */
static bool is_string(unsigned int id, const struct insn *insn)
{
	return (id == X86_INS_MOVSD || id == X86_INS_CMPSD) &&
	       insn->bytes[insn->opcode_at] != 0x0f;
}

static void correct_general_writes(const cs_insn *raw, struct effect *effect)
{
	uint8_t repeat = raw->detail->x86.prefix[0];
	size_t i;

	for (i = 0; i < sizeof(exact_writes) / sizeof(*exact_writes); i++) {
		if (raw->id == exact_writes[i].id)
			effect->writes.general = exact_writes[i].general;
	}
	for (i = 0; i < sizeof(string_writes) / sizeof(*string_writes); i++) {
		if (raw->id != string_writes[i].id)
			continue;
		effect->writes.general = string_writes[i].general;
		if (repeat == X86_PREFIX_REP || repeat == X86_PREFIX_REPNE)
			effect->writes.general |= GENERAL_BIT(RCX);
	}
	if (is_string(raw->id, &effect->insn)) {
		effect->writes.general = GENERAL_BIT(RSI) | GENERAL_BIT(RDI);
		if (repeat == X86_PREFIX_REP || repeat == X86_PREFIX_REPNE)
			effect->writes.general |= GENERAL_BIT(RCX);
		effect->uses |= effect->writes.general;
	}
	if (raw->id == X86_INS_CMPXCHG)
		effect->writes.general |= GENERAL_BIT(RAX);
}

static void correct_sets(const cs_insn *raw, struct effect *effect)
{
	correct_general_writes(raw, effect);
	switch (raw->id) {
	case X86_INS_NOP:
	case X86_INS_ENDBR64:
		effect->writes = (struct clobber_set){ 0 };
		effect->reads = (struct clobber_set){ 0 };
		effect->uses = 0;
		effect->memory.used = false;
		break;
	case X86_INS_VZEROUPPER:
		effect->writes.vector = 0;
		effect->zeroes_upper = true;
		break;
	case X86_INS_VZEROALL:
		effect->writes.vector = VECTOR_LEGACY;
		break;
	default:
		break;
	}
}

/* Not ah, al or ax: these leave the rest of the register as it is. */
static bool is_whole(x86_reg reg)
{
	struct clobber_set set = { 0 };

	if (address_number(reg) != GENERAL_NONE ||
	    (reg >= X86_REG_R8D && reg <= X86_REG_R15D) || reg == X86_REG_EAX ||
	    reg == X86_REG_ECX || reg == X86_REG_EDX || reg == X86_REG_EBX ||
	    reg == X86_REG_ESP || reg == X86_REG_EBP || reg == X86_REG_ESI ||
	    reg == X86_REG_EDI)
		return true;
	add_register(&set, reg);
	return set.vector || set.opmask;
}

static bool is_zeroing(unsigned int id)
{
	switch (id) {
	case X86_INS_XOR:
	case X86_INS_SUB:
	case X86_INS_PXOR:
	case X86_INS_XORPS:
	case X86_INS_XORPD:
	case X86_INS_VPXOR:
	case X86_INS_VXORPS:
	case X86_INS_VXORPD:
	case X86_INS_PCMPEQB:
	case X86_INS_PCMPEQD:
	case X86_INS_VPCMPEQB:
	case X86_INS_VPCMPEQD:
		return true;
	default:
		return false;
	}
}

static bool is_evex(const struct insn *insn)
{
	return insn->bytes[0] == 0x62;
}

/* With an opmask other than k0, so merging unless it says otherwise. */
static bool is_masked(const struct insn *insn)
{
	return is_evex(insn) && (insn->bytes[3] & 7);
}

/* xor %eax, %eax needs nothing of eax. */
static void drop_idle_reads(const cs_insn *raw, struct effect *effect)
{
	const cs_x86 *x86 = &raw->detail->x86;
	struct clobber_set set = { 0 };
	const cs_x86_op *ops;

	if (!is_zeroing(raw->id) || x86->op_count < 2)
		return;
	ops = &x86->operands[x86->op_count - 2];
	if (ops[0].type != X86_OP_REG || ops[1].type != X86_OP_REG ||
	    ops[0].reg != ops[1].reg || !is_whole(ops[0].reg))
		return;
	add_register(&set, ops[0].reg);
	effect->reads = clobber_set_without(&effect->reads, &set);
}

static void add_sets(const struct insn_decoder *decoder, struct effect *effect)
{
	const cs_insn *raw = decoder->scratch;
	struct clobber_set implicit = { 0 };
	cs_regs reads, writes;
	uint8_t read_count, write_count, i;

	if (cs_regs_access(decoder->handle, raw, reads, &read_count, writes,
			   &write_count) != CS_ERR_OK)
		return;
	for (i = 0; i < read_count; i++)
		add_register(&effect->reads, reads[i]);
	for (i = 0; i < write_count; i++)
		add_register(&effect->writes, writes[i]);
	for (i = 0; i < raw->detail->regs_read_count; i++)
		add_register(&implicit, raw->detail->regs_read[i]);
	effect->uses = implicit.general;
	add_operands(&raw->detail->x86, raw->id, effect);
	correct_sets(raw, effect);
	drop_idle_reads(raw, effect);
	if (is_gather(raw->id) || is_masked(&effect->insn))
		clobber_set_add(&effect->reads, &effect->writes);
}

static const cs_x86_op *find_memory_operand(const cs_x86 *x86)
{
	for (uint8_t i = 0; i < x86->op_count; i++) {
		if (x86->operands[i].type == X86_OP_MEM)
			return &x86->operands[i];
	}
	return NULL;
}

static void add_memory(const cs_insn *raw, struct effect *effect)
{
	const cs_x86_op *op = find_memory_operand(&raw->detail->x86);
	struct effect_memory *memory = &effect->memory;

	if (!op || raw->id == X86_INS_LEA || raw->id == X86_INS_NOP)
		return;
	memory->used = true;
	memory->written = op->access & CS_AC_WRITE;
	memory->base = GENERAL_NONE;
	memory->index = GENERAL_NONE;
	memory->disp = op->mem.disp;
	memory->size = op->size;
	/* Thread-local storage is not on the stack. */
	if (op->mem.segment == X86_REG_FS || op->mem.segment == X86_REG_GS)
		return;
	memory->base = address_number(op->mem.base);
	memory->index = address_number(op->mem.index);
}

/*
 * With EVEX Capstone takes base registers for vector registers, and counts
 * one-byte displacements in bytes.
 */
static void correct_evex_memory(struct effect *effect)
{
	const uint8_t *evex = effect->insn.bytes;
	bool extended = !(evex[1] & 0x20);
	uint8_t modrm = evex[5], rm = modrm & 7, mod = modrm >> 6;

	effect->memory = (struct effect_memory){ 0 };
	if (mod == 3)
		return;
	if (rm == 4)
		rm = evex[6] & 7;
	effect->memory.used = true;
	effect->memory.vague = true;
	effect->memory.index = GENERAL_NONE;
	effect->memory.base = (uint8_t)(rm + (extended ? R8 : 0));
	if (mod == 0 && rm == 5)
		effect->memory.base = GENERAL_NONE;
}

static bool is_wide_register(const cs_x86_op *op)
{
	return op->type == X86_OP_REG && op->size == 8 &&
	       general_number(op->reg) != GENERAL_NONE;
}

static void set_add(struct effect *effect, x86_reg dst, x86_reg src,
		    int64_t offset)
{
	effect->move = EFFECT_ADD;
	effect->dst = general_number(dst);
	effect->src = general_number(src);
	effect->offset = offset;
	effect->uses &= ~GENERAL_BIT(effect->src);
}

static void classify_mov(const cs_x86_op *dst, const cs_x86_op *src,
			 struct effect *effect)
{
	if (is_wide_register(dst) && is_wide_register(src)) {
		set_add(effect, dst->reg, src->reg, 0);
	} else if (is_wide_register(dst) && src->type == X86_OP_MEM) {
		effect->move = EFFECT_LOAD;
		effect->dst = general_number(dst->reg);
	} else if (dst->type == X86_OP_MEM && is_wide_register(src)) {
		effect->move = EFFECT_STORE;
		effect->src = general_number(src->reg);
	}
}

static void classify_lea(const cs_x86_op *dst, const cs_x86_op *src,
			 struct effect *effect)
{
	const x86_op_mem *mem = &src->mem;
	uint8_t base = address_number(mem->base);

	if (!is_wide_register(dst))
		return;
	if (mem->base == X86_REG_RIP) {
		effect->move = EFFECT_FIXED;
		effect->dst = general_number(dst->reg);
	} else if (base != GENERAL_NONE && mem->index == X86_REG_INVALID) {
		set_add(effect, dst->reg, mem->base, mem->disp);
	} else {
		/* An address computed with an index may go anywhere. */
		effect->uses |= effect->reads.general;
	}
}

static void classify_arithmetic(unsigned int id, const cs_x86_op *dst,
				const cs_x86_op *src, struct effect *effect)
{
	if (!is_wide_register(dst) || src->type != X86_OP_IMM)
		return;
	if (id == X86_INS_AND && src->imm < 0 && !(src->imm & -src->imm & 7) &&
	    (src->imm & -src->imm) == -src->imm) {
		effect->move = EFFECT_ALIGN;
		effect->dst = general_number(dst->reg);
		effect->uses &= ~GENERAL_BIT(effect->dst);
	} else if (id == X86_INS_ADD) {
		set_add(effect, dst->reg, dst->reg, src->imm);
	} else if (id == X86_INS_SUB) {
		set_add(effect, dst->reg, dst->reg,
			(int64_t) - (uint64_t)src->imm);
	}
}

static void classify_push(const cs_x86_op *op, struct effect *effect)
{
	bool is_register = op->type == X86_OP_REG;

	if (op->type != X86_OP_IMM && op->size != 8)
		return;
	if (is_register && !is_wide_register(op))
		return;
	effect->move = EFFECT_PUSH;
	effect->src = is_register ? general_number(op->reg) : GENERAL_NONE;
	if (is_register)
		effect->uses &= ~GENERAL_BIT(effect->src);
	effect->uses &= ~GENERAL_BIT(RSP);
}

static void classify_move(const cs_insn *raw, struct effect *effect)
{
	const cs_x86 *x86 = &raw->detail->x86;
	const cs_x86_op *dst = &x86->operands[0], *src = &x86->operands[1];

	switch (raw->id) {
	case X86_INS_MOV:
	case X86_INS_MOVABS:
		classify_mov(dst, src, effect);
		break;
	case X86_INS_LEA:
		classify_lea(dst, src, effect);
		break;
	case X86_INS_ADD:
	case X86_INS_SUB:
	case X86_INS_AND:
		classify_arithmetic(raw->id, dst, src, effect);
		break;
	case X86_INS_PUSH:
		classify_push(dst, effect);
		break;
	case X86_INS_PUSHFQ:
		effect->move = EFFECT_PUSH;
		effect->src = GENERAL_NONE;
		break;
	case X86_INS_POP:
		if (!is_wide_register(dst))
			break;
		effect->move = EFFECT_POP;
		effect->dst = general_number(dst->reg);
		break;
	case X86_INS_POPFQ:
		effect->move = EFFECT_POP;
		effect->dst = GENERAL_NONE;
		break;
	case X86_INS_LEAVE:
		effect->move = EFFECT_LEAVE;
		break;
	default:
		break;
	}
}

/*
 * Capstone 4.0.2 lacks much of AVX-512BW and DQ.  VEX and EVEX instructions
 * have no prefixes that change their length, and never branch (SDM vol. 2,
 * 2.3 and 2.7), so where they end can be told without knowing what they do.
 * Returns the length up to the opcode, or 0; finds the opcode map.
 */
static size_t vector_opcode_at(const uint8_t *code, size_t len,
			       unsigned int *ret_map)
{
	if (len >= 4 && code[0] == 0xc5) {
		*ret_map = 1;
		return 2;
	}
	if (len >= 5 && code[0] == 0xc4) {
		*ret_map = code[1] & 0x1f;
		return 3;
	}
	if (len >= 6 && code[0] == 0x62) {
		*ret_map = code[1] & 7;
		return 4;
	}
	return 0;
}

static size_t vector_immediate_len(unsigned int map, uint8_t opcode)
{
	if (map == 3)
		return 1;
	if (map != 1)
		return 0;
	return (opcode >= 0x70 && opcode <= 0x73) || opcode == 0xc2 ||
	       (opcode >= 0xc4 && opcode <= 0xc6);
}

static size_t modrm_len(const uint8_t *modrm, size_t len)
{
	unsigned int mod = modrm[0] >> 6, rm = modrm[0] & 7, base = rm;
	size_t size = 1;

	if (mod == 3)
		return size;
	if (rm == 4) {
		if (len < 2)
			return len + 1;
		base = modrm[1] & 7;
		size++;
	}
	if (mod == 1)
		return size + 1;
	return size + (mod == 2 || base == 5 ? 4 : 0);
}

static bool decode_opaque(const uint8_t *code, size_t len, upatch_addr_t addr,
			  struct effect *effect)
{
	unsigned int map = 0;
	size_t at = vector_opcode_at(code, len, &map), size;

	if (at == 0 || map < 1 || map == 4 || map > 6)
		return false;
	size = at + 1 + modrm_len(code + at + 1, len - at - 1) +
	       vector_immediate_len(map, code[at]);
	if (size > len || size > INSN_LEN_MAX)
		return false;
	effect->insn = (struct insn){ .addr = addr, .len = (uint8_t)size };
	memcpy(effect->insn.bytes, code, size);
	effect->opaque = true;
	if (is_evex(&effect->insn))
		correct_evex_memory(effect);
	return true;
}

bool effect_decode(struct insn_decoder *decoder, const uint8_t *code,
		   size_t len, upatch_addr_t addr, struct effect *ret_effect)
{
	const cs_insn *raw = decoder->scratch;
	struct effect effect = { 0 };

	if (insn_decode(decoder, code, len, addr, &effect.insn)) {
		add_memory(raw, &effect);
		add_sets(decoder, &effect);
		classify_move(raw, &effect);
		if (is_evex(&effect.insn))
			correct_evex_memory(&effect);
		effect.is_padding =
			raw->id == X86_INS_NOP || raw->id == X86_INS_INT3;
		effect.stops = raw->id == X86_INS_UD2 ||
			       raw->id == X86_INS_UD2B ||
			       raw->id == X86_INS_UD0 || raw->id == X86_INS_HLT;
	} else if (!decode_opaque(code, len, addr, &effect)) {
		return false;
	}
	*ret_effect = effect;
	return true;
}
