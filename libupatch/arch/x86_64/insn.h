/* SPDX-License-Identifier: MIT */
/* One decoded instruction, seen by somebody who wants to move it. */
#ifndef UPATCH_X86_64_INSN_H
#define UPATCH_X86_64_INSN_H

#include "../arch.h"
#include "insn_layout.h"

enum insn_kind {
	INSN_PLAIN,	    /* goes on with the next instruction */
	INSN_JUMP,	    /* jmp rel8, jmp rel32 */
	INSN_CONDITIONAL,   /* jcc rel8, jcc rel32 */
	INSN_COUNTED,	    /* loop, loope, loopne, jrcxz: rel8 only */
	INSN_CALL,	    /* call rel32 */
	INSN_JUMP_INDIRECT, /* jmp r/m64 */
	INSN_CALL_INDIRECT, /* call r/m64 */
	INSN_RETURN,	    /* ret, ret imm16 */
	INSN_FAR,	    /* far call, far jmp, far ret, iret */
	INSN_TRANSACTION,   /* xbegin rel32 */
	INSN_SYSTEM_CALL,   /* syscall, sysenter, int imm8 */
	INSN_BREAKPOINT,    /* int3, int1 */
};

struct insn {
	upatch_addr_t addr;
	enum insn_kind kind;
	uint8_t bytes[INSN_LEN_MAX];
	uint8_t len;
	/* offset of the opcode, behind legacy prefixes and REX */
	uint8_t opcode_at;
	/* offset of the disp32 of an operand relative to rip; 0: none */
	uint8_t rip_disp_at;
	/* the operand's address, if there is a rip_disp_at */
	upatch_addr_t operand;
	/* where a branch relative to rip leads: see insn_has_target */
	upatch_addr_t target;
	/* why it means something else in another place, or NULL */
	const char *unmovable;
};

/*
 * Decodes the first instruction of code[0, len), which stands at `addr`.
 * False: these bytes are no instruction, one that is not known, one that
 * `len` cuts, or one that processors disagree about.
 */
bool insn_decode(struct insn_decoder *decoder, const uint8_t *code, size_t len,
		 upatch_addr_t addr, struct insn *ret_insn);

/* Is it a branch whose target is written in the instruction? */
bool insn_has_target(const struct insn *insn);
/* Is it a near call, direct or not? */
bool insn_is_call(const struct insn *insn);
/* Can the processor go on with the instruction behind a copy of it? */
bool insn_falls_through(const struct insn *insn);

#endif
