/* SPDX-License-Identifier: MIT */
/* What one instruction does to registers, and to addresses on the stack. */
#ifndef UPATCH_X86_64_EFFECT_H
#define UPATCH_X86_64_EFFECT_H

#include "../clobber.h"
#include "insn.h"

/* The processor's numbers of the general registers. */
enum general {
	RAX,
	RCX,
	RDX,
	RBX,
	RSP,
	RBP,
	RSI,
	RDI,
	R8,
	R9,
	R10,
	R11,
	GENERAL_COUNT = 16,
	GENERAL_NONE = GENERAL_COUNT,
};

#define GENERAL_BIT(n) (1u << (n))
/* psABI, figure 3.4 */
#define GENERAL_CALLER_SAVED                                                   \
	(GENERAL_BIT(RAX) | GENERAL_BIT(RCX) | GENERAL_BIT(RDX) |              \
	 GENERAL_BIT(RSI) | GENERAL_BIT(RDI) | GENERAL_BIT(R8) |               \
	 GENERAL_BIT(R9) | GENERAL_BIT(R10) | GENERAL_BIT(R11))
#define VECTOR_LEGACY 0xffffu /* those that SSE and AVX have */
#define VECTOR_ALL    0xffffffffu
#define OPMASK_ALL    0xffu

/* Adds `more` to `set`; true: it has grown. */
bool clobber_set_add(struct clobber_set *set, const struct clobber_set *more);
/* What is in both, and what is only in `a`. */
struct clobber_set clobber_set_and(const struct clobber_set *a,
				   const struct clobber_set *b);
struct clobber_set clobber_set_without(const struct clobber_set *a,
				       const struct clobber_set *b);

/* psABI 3.2.3: where results are returned. */
extern const struct clobber_set clobber_results;
/* Everything that is caller-saved. */
extern const struct clobber_set clobber_all;

/* Kinds of instructions that put known values into 64-bit registers. */
enum effect_move {
	EFFECT_OTHER, /* only the sets of registers say what it does */
	EFFECT_ADD,   /* dst = src + offset: also mov, lea, sub, inc, dec */
	EFFECT_FIXED, /* dst = an address relative to rip */
	EFFECT_ALIGN, /* and $-2^n, dst */
	EFFECT_LOAD,  /* dst = memory */
	EFFECT_STORE, /* memory = src */
	EFFECT_PUSH,  /* of src, or of something else: GENERAL_NONE */
	EFFECT_POP,   /* to dst */
	EFFECT_LEAVE,
};

struct effect_memory {
	bool used;
	bool written;
	bool vague;	     /* only the base is certain */
	uint8_t base, index; /* or GENERAL_NONE */
	uint8_t size;
	int64_t disp;
};

struct effect {
	struct insn insn;
	/* the sets name all general registers, not only caller-saved ones */
	struct clobber_set writes;
	struct clobber_set reads;
	/* general registers whose value goes elsewhere than into an address */
	uint32_t uses;
	struct effect_memory memory;
	enum effect_move move;
	uint8_t dst, src;
	int64_t offset;
	/* vzeroupper: upper halves are lost, but never a value of GCC's */
	bool zeroes_upper;
	/* nop, int3: what stands between functions and blocks */
	bool is_padding;
	/* ud2, hlt: execution does not go on */
	bool stops;
	/* Capstone does not know it; only its length is certain */
	bool opaque;
};

/*
 * Decodes the first instruction of code[0, len), which stands at `addr`.
 * False: its end cannot be found.
 */
bool effect_decode(struct insn_decoder *decoder, const uint8_t *code,
		   size_t len, upatch_addr_t addr, struct effect *ret_effect);

#endif
