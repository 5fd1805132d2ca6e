/* SPDX-License-Identifier: MIT */
/*
 * Where the parts of an instruction are.  There are two who can tell: Capstone
 * for the controller, and tables for the target, which has nothing but libc.
 */
#ifndef UPATCH_X86_64_INSN_LAYOUT_H
#define UPATCH_X86_64_INSN_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../error.h"

#define INSN_LEN_MAX 15

struct insn_layout {
	uint8_t len;
	/* offset of the ModRM byte; 0: it has none */
	uint8_t modrm_at;
	uint8_t modrm;
	/* offset of the displacement of a memory operand; 0: it has none */
	uint8_t disp_at;
};

struct cs_insn;

/* The tables need neither. */
struct insn_decoder {
	size_t handle; /* csh */
	/* after insn_layout_find: the instruction */
	struct cs_insn *scratch;
};

UPATCH_MUST_CHECK int insn_decoder_init(struct insn_decoder *decoder,
					struct upatch_error *err);
void insn_decoder_fini(struct insn_decoder *decoder);

/*
 * Looks at the first instruction of code[0, len).  False: no instruction, one
 * that is not known, or one that `len` cuts.
 */
bool insn_layout_find(struct insn_decoder *decoder, const uint8_t *code,
		      size_t len, struct insn_layout *ret_layout);

#endif
