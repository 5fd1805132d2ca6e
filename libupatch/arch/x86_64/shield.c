/* SPDX-License-Identifier: MIT */
/*
 * The half of a shield that is made to measure.  Straight-line code instead
 * of a description that the runtime would have to interpret, as it runs with
 * every call.  No register may change on the way to the new function, since
 * any of them may carry an argument or be kept: r10 is the static chain, al
 * counts vector arguments, and r11 is free only once it has been kept.
 */
#include "../shield.h"

#include <inttypes.h>

#include "effect.h"
#include "emit.h"
#include "shield_layout.h"

#define WORD 8
/* Up to here one push per word is faster than what the runtime does. */
#define PUSHED_WORDS 16

/*
 *	arguments on the stack
 *	return address
 * rbp	rbp of the caller
 *	SHIELD_RESTORE: where the runtime's half comes back to
 *	SHIELD_NEW: the new function
 *	SHIELD_RAX, …: if the runtime copies the arguments
 *	kept general registers	(general_at is above the first one)
 *	kept opmask registers	(opmask_at is the lowest)
 *	kept vector registers	(vector_at is the lowest)
 *	up to 8 bytes, for alignment
 * rsp	the copy of the arguments; a multiple of 16
 */
struct layout {
	int32_t general_at, opmask_at, vector_at;
	bool runtime_copies;
};

static void plan_layout(const struct shield_spec *spec, struct layout *layout)
{
	int32_t at;

	layout->runtime_copies = !spec->stack_args_known ||
				 spec->stack_arg_bytes > PUSHED_WORDS * WORD;
	at = layout->runtime_copies ? SHIELD_RDI : SHIELD_NEW;
	layout->general_at = at;
	at -= WORD * __builtin_popcount(spec->kept.general);
	at -= WORD * __builtin_popcount(spec->kept.opmask);
	layout->opmask_at = at;
	at -= spec->vector_width * __builtin_popcount(spec->kept.vector);
	/* EVEX has a one-byte displacement for multiples of the width. */
	layout->vector_at = at & -(int32_t)spec->vector_width;
}

/* --- Instructions ----------------------------------------------------------- */

static void emit_modrm(struct emitter *out, unsigned int mod, unsigned int reg,
		       unsigned int rm)
{
	emit_byte(out, (uint8_t)(mod << 6 | (reg & 7) << 3 | (rm & 7)));
}

/* The operand disp(%rbp); EVEX counts one-byte distances in `unit` bytes. */
static void emit_frame_operand(struct emitter *out, unsigned int reg,
			       int32_t disp, int32_t unit)
{
	int32_t scaled = disp / unit;

	if (scaled * unit == disp && scaled == (int8_t)scaled) {
		emit_modrm(out, 1, reg, RBP);
		emit_byte(out, (uint8_t)scaled);
	} else {
		emit_modrm(out, 2, reg, RBP);
		emit_u32(out, (uint32_t)disp);
	}
}

static void emit_push(struct emitter *out, unsigned int reg)
{
	if (reg >= R8)
		emit_byte(out, 0x41);
	emit_byte(out, (uint8_t)(0x50 | (reg & 7)));
}

static void emit_push_frame(struct emitter *out, int32_t disp)
{
	emit_byte(out, 0xff);
	emit_frame_operand(out, 6, disp, 1);
}

/* push word(%rip) */
static void emit_push_word(struct emitter *out, upatch_addr_t word)
{
	emit_byte(out, 0xff);
	emit_modrm(out, 0, 6, RBP);
	emit_rel32(out, word, 0);
}

/* lea disp(%rbp), %rsp: unlike sub, whatever was pushed before */
static void emit_set_stack(struct emitter *out, int32_t disp)
{
	static const uint8_t lea[] = { 0x48, 0x8d };

	emit_bytes(out, lea, sizeof(lea));
	emit_frame_operand(out, RSP, disp, 1);
}

static void emit_load_general(struct emitter *out, unsigned int reg,
			      int32_t disp)
{
	emit_byte(out, reg >= R8 ? 0x4c : 0x48);
	emit_byte(out, 0x8b);
	emit_frame_operand(out, reg, disp, 1);
}

enum direction {
	LOAD,
	STORE
};

/* kmovq: VEX.L0.0F.W1 90 and 91 */
static void emit_opmask(struct emitter *out, enum direction direction,
			unsigned int reg, int32_t disp)
{
	static const uint8_t vex[] = { 0xc4, 0xe1, 0xf8 };

	emit_bytes(out, vex, sizeof(vex));
	emit_byte(out, direction == STORE ? 0x91 : 0x90);
	emit_frame_operand(out, reg, disp, 1);
}

/* movups, or vmovups with a VEX (SDM 2.3.5) or EVEX prefix (2.7.1) */
static void emit_vector(struct emitter *out, enum direction direction,
			unsigned int reg, uint8_t width, int32_t disp)
{
	uint8_t opcode = direction == STORE ? 0x11 : 0x10;
	uint8_t not_r = reg & 8 ? 0 : 0x80, not_r2 = reg & 16 ? 0 : 0x10;

	if (width == 64) {
		uint8_t evex[] = { 0x62, (uint8_t)(0x61 | not_r | not_r2), 0x7c,
				   0x48, opcode };

		emit_bytes(out, evex, sizeof(evex));
	} else if (width == 32) {
		uint8_t vex[] = { 0xc5, (uint8_t)(0x7c | not_r), opcode };

		emit_bytes(out, vex, sizeof(vex));
	} else {
		uint8_t movups[] = { 0x0f, opcode };

		if (reg & 8)
			emit_byte(out, 0x44);
		emit_bytes(out, movups, sizeof(movups));
	}
	emit_frame_operand(out, reg, disp, width == 64 ? 64 : 1);
}

/* --- Registers --------------------------------------------------------------- */

static void emit_vectors(struct emitter *out, enum direction direction,
			 const struct shield_spec *spec,
			 const struct layout *layout)
{
	int32_t at = layout->opmask_at;
	unsigned int reg;

	for (reg = 0; reg < 8; reg++) {
		if (!(spec->kept.opmask & 1u << reg))
			continue;
		emit_opmask(out, direction, reg, at);
		at += WORD;
	}
	at = layout->vector_at;
	for (reg = 0; reg < 32; reg++) {
		if (!(spec->kept.vector & 1u << reg))
			continue;
		emit_vector(out, direction, reg, spec->vector_width, at);
		at += spec->vector_width;
	}
}

static void emit_keep(struct emitter *out, const struct shield_spec *spec,
		      const struct layout *layout)
{
	/* in the order of SHIELD_RAX, SHIELD_RCX, SHIELD_RSI, SHIELD_RDI */
	static const uint8_t push_scratch[] = { 0x50, 0x51, 0x56, 0x57 };

	if (layout->runtime_copies)
		emit_bytes(out, push_scratch, sizeof(push_scratch));
	for (unsigned int reg = 0; reg < GENERAL_COUNT; reg++) {
		if (spec->kept.general & GENERAL_BIT(reg))
			emit_push(out, reg);
	}
	emit_set_stack(out, layout->vector_at);
	emit_vectors(out, STORE, spec, layout);
}

static void emit_restore(struct emitter *out, const struct shield_spec *spec,
			 const struct layout *layout)
{
	static const uint8_t leave_ret[] = { 0xc9, 0xc3 };
	int32_t at = layout->general_at;

	emit_vectors(out, LOAD, spec, layout);
	for (unsigned int reg = 0; reg < GENERAL_COUNT; reg++) {
		if (!(spec->kept.general & GENERAL_BIT(reg)))
			continue;
		at -= WORD;
		emit_load_general(out, reg, at);
	}
	emit_bytes(out, leave_ret, sizeof(leave_ret));
}

/* --- Arguments --------------------------------------------------------------- */

static void emit_push_args(struct emitter *out, uint32_t bytes)
{
	static const uint8_t align[] = { 0x48, 0x83, 0xe4, 0xf0 };
	static const uint8_t skip_word[] = { 0x48, 0x83, 0xec, WORD };
	uint32_t words = bytes / WORD;

	emit_bytes(out, align, sizeof(align));
	if (words % 2)
		emit_bytes(out, skip_word, sizeof(skip_word));
	while (words-- > 0)
		emit_push_frame(out, SHIELD_ARGS + (int32_t)words * WORD);
}

/* mov $bytes, %r11d: the parameter of SHIELD_COPY and SHIELD_GUESS */
static void emit_arg_bytes(struct emitter *out, uint32_t bytes)
{
	static const uint8_t mov_r11[] = { 0x41, 0xbb };

	emit_bytes(out, mov_r11, sizeof(mov_r11));
	emit_u32(out, bytes);
}

static upatch_addr_t runtime_entry(const struct shield_spec *spec,
				   const struct layout *layout)
{
	if (!layout->runtime_copies)
		return spec->shield_common;
	return spec->shield_common +
	       (spec->stack_args_known ? SHIELD_COPY : SHIELD_GUESS);
}

/* --- The whole ---------------------------------------------------------------- */

/* Words behind the code, which it cannot hold as immediates. */
struct words {
	upatch_addr_t at;
	uint64_t restore, new_func, runtime;
};

static void emit_code(struct emitter *out, const struct shield_spec *spec,
		      const struct layout *layout, struct words *words)
{
	static const uint8_t mov_rsp_rbp[] = { 0x48, 0x89, 0xe5 };

	emit_push(out, RBP);
	emit_bytes(out, mov_rsp_rbp, sizeof(mov_rsp_rbp));
	emit_push_word(out, words->at);
	emit_push_word(out, words->at + WORD);
	emit_keep(out, spec, layout);
	if (layout->runtime_copies)
		emit_arg_bytes(out, spec->stack_arg_bytes);
	else
		emit_push_args(out, spec->stack_arg_bytes);
	emit_jump_indirect(out, words->at + 2UL * WORD);
	words->restore = spec->code + out->len;
	emit_restore(out, spec, layout);
	emit_padding(out, (out->len + WORD - 1) & -(size_t)WORD);
	words->at = spec->code + out->len;
}

static int check_spec(const struct shield_spec *spec, struct upatch_error *err)
{
	const char *problem = NULL;

	if (spec->vector_width != 16 && spec->vector_width != 32 &&
	    spec->vector_width != 64)
		problem = "no such width of vector registers";
	else if (spec->kept.general & ~GENERAL_CALLER_SAVED)
		problem = "a register that is not caller-saved";
	else if (spec->stack_arg_bytes % WORD ||
		 spec->stack_arg_bytes > INT32_MAX / 2)
		problem = "impossible size of arguments";
	else if (spec->code % WORD)
		problem = "not aligned";
	if (!problem)
		return 0;
	return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
			 "cannot place a shield at 0x%" PRIx64 ": %s",
			 spec->code, problem);
}

/* Narrower machines have no registers above 15, and no opmask ones. */
static struct clobber_set existing(const struct shield_spec *spec)
{
	static const struct clobber_set narrow = {
		.general = GENERAL_CALLER_SAVED,
		.vector = VECTOR_LEGACY,
	};

	return clobber_set_and(&spec->kept, spec->vector_width == 64
						    ? &clobber_all
						    : &narrow);
}

int arch_emit_shield(const struct shield_spec *wanted, uint8_t *buf,
		     size_t size, size_t *ret_len, struct upatch_error *err)
{
	struct shield_spec spec = *wanted;
	struct words words = { .at = spec.code };
	struct layout layout;
	struct emitter out;
	int status;

	status = check_spec(&spec, err);
	if (status < 0)
		return status;
	spec.kept = existing(&spec);
	plan_layout(&spec, &layout);
	words.new_func = spec.new_func;
	words.runtime = runtime_entry(&spec, &layout);
	/* Twice: where the words are is known when the code has been made. */
	for (int round = 0; round < 2; round++) {
		emitter_init(&out, buf, size, spec.code);
		emit_code(&out, &spec, &layout, &words);
	}
	emit_u64(&out, words.restore);
	emit_u64(&out, words.new_func);
	emit_u64(&out, words.runtime);
	status = emitter_check(&out, err);
	if (status < 0)
		return status;
	*ret_len = out.len;
	return 0;
}

uint8_t arch_vector_width(void)
{
	/*
	 * Asks the operating system as well.  Opmask registers have 64 bits
	 * since AVX-512BW, which every server processor with AVX-512F has.
	 */
	if (__builtin_cpu_supports("avx512bw"))
		return 64;
	return __builtin_cpu_supports("avx") ? 32 : 16;
}
