/* SPDX-License-Identifier: MIT */
/*
 * Where the parts of an instruction are, by the opcode maps of Intel SDM
 * vol. 2, appendix A and AMD APM vol. 3, appendix A.  Opcodes that processors
 * disagree about, or that no compiler emits, are left out: saying no costs a
 * refusal, a wrong length costs the target.
 */
#include "../../../arch/x86_64/insn_layout.h"

#include <string.h>

/* What follows an opcode; 0: no instruction. */
#define NONE  0x01
#define MODRM 0x02
#define IMM8  0x04
#define IMM16 0x08
#define IMMZ  0x10 /* 4 bytes, or 2 */
#define IMMV  0x20 /* 4 bytes, or 2 or 8 */
#define MOFFS 0x40 /* an address, 8 bytes or 4 */
#define REL32 0x80

#define REX_W 0x08

#define MODRM_MOD(modrm) ((modrm) >> 6)
#define MODRM_REG(modrm) (((modrm) >> 3) & 7)
#define MODRM_RM(modrm)	 ((modrm)&7)

struct cursor {
	const uint8_t *code;
	size_t len, at;
	bool operand_size, address_size, lock, repne, rep;
	uint8_t rex;
	uint8_t opcode_at;
	/* ModRM.mod is ignored */
	bool only_registers;
};

/* clang-format off */
#define XX 0
#define NN NONE
#define MM MODRM
#define MB (MODRM | IMM8)
#define MZ (MODRM | IMMZ)
#define BB IMM8
#define WW IMM16
#define WB (IMM16 | IMM8)
#define ZZ IMMZ
#define VV IMMV
#define AA MOFFS
#define RR REL32

/* Prefixes, escapes and what VEX, EVEX and XOP begin with are not in it. */
static const uint8_t one_byte_forms[256] = {
	/* 00 */ MM,MM,MM,MM,BB,ZZ,XX,XX, MM,MM,MM,MM,BB,ZZ,XX,XX,
	/* 10 */ MM,MM,MM,MM,BB,ZZ,XX,XX, MM,MM,MM,MM,BB,ZZ,XX,XX,
	/* 20 */ MM,MM,MM,MM,BB,ZZ,XX,XX, MM,MM,MM,MM,BB,ZZ,XX,XX,
	/* 30 */ MM,MM,MM,MM,BB,ZZ,XX,XX, MM,MM,MM,MM,BB,ZZ,XX,XX,
	/* 40 */ XX,XX,XX,XX,XX,XX,XX,XX, XX,XX,XX,XX,XX,XX,XX,XX,
	/* 50 */ NN,NN,NN,NN,NN,NN,NN,NN, NN,NN,NN,NN,NN,NN,NN,NN,
	/* 60 */ XX,XX,XX,MM,XX,XX,XX,XX, ZZ,MZ,BB,MB,NN,NN,NN,NN,
	/* 70 */ BB,BB,BB,BB,BB,BB,BB,BB, BB,BB,BB,BB,BB,BB,BB,BB,
	/* 80 */ MB,MZ,XX,MB,MM,MM,MM,MM, MM,MM,MM,MM,MM,MM,MM,MM,
	/* 90 */ NN,NN,NN,NN,NN,NN,NN,NN, NN,NN,XX,NN,NN,NN,NN,NN,
	/* a0 */ AA,AA,AA,AA,NN,NN,NN,NN, BB,ZZ,NN,NN,NN,NN,NN,NN,
	/* b0 */ BB,BB,BB,BB,BB,BB,BB,BB, VV,VV,VV,VV,VV,VV,VV,VV,
	/* c0 */ MB,MB,WW,NN,XX,XX,MB,MZ, WB,NN,WW,NN,NN,BB,XX,NN,
	/* d0 */ MM,MM,MM,MM,XX,XX,XX,NN, MM,MM,MM,MM,MM,MM,MM,MM,
	/* e0 */ BB,BB,BB,BB,BB,BB,BB,BB, RR,RR,XX,BB,NN,NN,NN,NN,
	/* f0 */ XX,NN,XX,XX,NN,NN,MM,MM, NN,NN,NN,NN,NN,NN,MM,MM,
};

/*
 * Left out: ud0 and ud1, of which some processors read a ModRM byte and others
 * do not, and the instructions of VIA.
 */
static const uint8_t forms_0f[256] = {
	/* 00 */ MM,MM,MM,MM,XX,NN,NN,NN, NN,NN,XX,NN,XX,MM,NN,MB,
	/* 10 */ MM,MM,MM,MM,MM,MM,MM,MM, MM,MM,MM,MM,MM,MM,MM,MM,
	/* 20 */ MM,MM,MM,MM,XX,XX,XX,XX, MM,MM,MM,MM,MM,MM,MM,MM,
	/* 30 */ NN,NN,NN,NN,NN,NN,XX,NN, XX,XX,XX,XX,XX,XX,XX,XX,
	/* 40 */ MM,MM,MM,MM,MM,MM,MM,MM, MM,MM,MM,MM,MM,MM,MM,MM,
	/* 50 */ MM,MM,MM,MM,MM,MM,MM,MM, MM,MM,MM,MM,MM,MM,MM,MM,
	/* 60 */ MM,MM,MM,MM,MM,MM,MM,MM, MM,MM,MM,MM,MM,MM,MM,MM,
	/* 70 */ MB,MB,MB,MB,MM,MM,MM,NN, MM,MM,XX,XX,MM,MM,MM,MM,
	/* 80 */ RR,RR,RR,RR,RR,RR,RR,RR, RR,RR,RR,RR,RR,RR,RR,RR,
	/* 90 */ MM,MM,MM,MM,MM,MM,MM,MM, MM,MM,MM,MM,MM,MM,MM,MM,
	/* a0 */ NN,NN,NN,MM,MB,MM,XX,XX, NN,NN,NN,MM,MB,MM,MM,MM,
	/* b0 */ MM,MM,MM,MM,MM,MM,MM,MM, MM,XX,MB,MM,MM,MM,MM,MM,
	/* c0 */ MM,MM,MB,MM,MB,MB,MB,MM, NN,NN,NN,NN,NN,NN,NN,NN,
	/* d0 */ MM,MM,MM,MM,MM,MM,MM,MM, MM,MM,MM,MM,MM,MM,MM,MM,
	/* e0 */ MM,MM,MM,MM,MM,MM,MM,MM, MM,MM,MM,MM,MM,MM,MM,MM,
	/* f0 */ MM,MM,MM,MM,MM,MM,MM,MM, MM,MM,MM,MM,MM,MM,MM,XX,
};

#undef XX
#undef NN
#undef MM
#undef MB
#undef MZ
#undef BB
#undef WW
#undef WB
#undef ZZ
#undef VV
#undef AA
#undef RR

struct opcode_range {
	uint8_t first, last;
};

/* All have ModRM. */
static const struct opcode_range known_0f38[] = {
	{ 0x00, 0x0b }, { 0x10, 0x10 }, { 0x14, 0x15 }, { 0x17, 0x17 },
	{ 0x1c, 0x1e }, { 0x20, 0x25 }, { 0x28, 0x2b }, { 0x30, 0x35 },
	{ 0x37, 0x41 }, { 0x80, 0x82 }, { 0xc8, 0xcd }, { 0xcf, 0xcf },
	{ 0xdb, 0xdf }, { 0xf0, 0xf1 }, { 0xf5, 0xf6 }, { 0xf8, 0xf9 },
};

/* All have ModRM and imm8. */
static const struct opcode_range known_0f3a[] = {
	{ 0x08, 0x0f }, { 0x14, 0x17 }, { 0x20, 0x22 }, { 0x40, 0x42 },
	{ 0x44, 0x44 }, { 0x60, 0x63 }, { 0xcc, 0xcc }, { 0xce, 0xcf },
	{ 0xdf, 0xdf },
};

/* Those of 0f that VEX or EVEX can precede. */
static const struct opcode_range known_vector_0f[] = {
	{ 0x10, 0x17 }, { 0x28, 0x2f }, { 0x41, 0x42 }, { 0x44, 0x47 },
	{ 0x4a, 0x4b }, { 0x50, 0x7f }, { 0x90, 0x93 }, { 0x98, 0x99 },
	{ 0xae, 0xae }, { 0xc2, 0xc2 }, { 0xc4, 0xc6 }, { 0xd0, 0xfe },
};
/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static bool is_known(const struct opcode_range *ranges, size_t count,
		     uint8_t opcode)
{
	for (size_t i = 0; i < count; i++) {
		if (opcode >= ranges[i].first && opcode <= ranges[i].last)
			return true;
	}
	return false;
}

static bool take_byte(struct cursor *cursor, uint8_t *ret_byte)
{
	if (cursor->at == cursor->len)
		return false;
	*ret_byte = cursor->code[cursor->at++];
	return true;
}

static bool take_prefix(struct cursor *cursor)
{
	if (cursor->at == cursor->len)
		return false;
	switch (cursor->code[cursor->at]) {
	case 0x66:
		cursor->operand_size = true;
		break;
	case 0x67:
		cursor->address_size = true;
		break;
	case 0xf0:
		cursor->lock = true;
		break;
	case 0xf2:
		cursor->repne = true;
		break;
	case 0xf3:
		cursor->rep = true;
		break;
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65:
		break;
	default:
		return false;
	}
	cursor->at++;
	return true;
}

/* A legacy prefix behind a REX prefix finds no entry in the tables. */
static void take_prefixes(struct cursor *cursor)
{
	while (take_prefix(cursor))
		continue;
	if (cursor->at < cursor->len &&
	    (cursor->code[cursor->at] & 0xf0) == 0x40)
		cursor->rex = cursor->code[cursor->at++];
}

/* --- Opcodes ---------------------------------------------------------- */

/* The byte behind the opcode, 0 if there is none: then ModRM is missing. */
static uint8_t peek(const struct cursor *cursor)
{
	return cursor->at < cursor->len ? cursor->code[cursor->at] : 0;
}

/* A bit for each value of ModRM.reg with which the opcode is known. */
static uint8_t known_regs(uint8_t opcode)
{
	switch (opcode) {
	case 0x8c:
		return 0x3f;
	case 0x8e:
		return 0x3d;
	case 0x8f:
	case 0xc6:
	case 0xc7:
		return 0x01;
	case 0xf6:
	case 0xf7:
		return 0xfd;
	case 0xfe:
		return 0x03;
	case 0xff:
		return 0x7f;
	default:
		return 0xff;
	}
}

static unsigned int one_byte_form(const struct cursor *cursor, uint8_t opcode)
{
	unsigned int form = one_byte_forms[opcode];
	uint8_t modrm = peek(cursor);

	if (!(form & MODRM))
		return form;
	/* xabort imm8 and xbegin rel32 */
	if ((opcode == 0xc6 || opcode == 0xc7) && modrm == 0xf8)
		return MODRM | (opcode == 0xc6 ? IMM8 : REL32);
	if (!(known_regs(opcode) >> MODRM_REG(modrm) & 1))
		return 0;
	if ((opcode == 0xf6 || opcode == 0xf7) && MODRM_REG(modrm) == 0)
		form |= opcode == 0xf6 ? IMM8 : IMMZ; /* test */
	return form;
}

static unsigned int form_0f(struct cursor *cursor)
{
	uint8_t opcode;

	if (!take_byte(cursor, &opcode))
		return 0;
	switch (opcode) {
	case 0x38:
		if (!take_byte(cursor, &opcode) ||
		    !is_known(known_0f38, COUNT(known_0f38), opcode))
			return 0;
		return MODRM;
	case 0x3a:
		if (!take_byte(cursor, &opcode) ||
		    !is_known(known_0f3a, COUNT(known_0f3a), opcode))
			return 0;
		return MODRM | IMM8;
	case 0x78:
		/* vmread; those of SSE4a have two immediates */
		return cursor->rep || cursor->repne || cursor->operand_size
			       ? 0
			       : MODRM;
	case 0xb8:
		/* popcnt */
		return cursor->rep && !cursor->repne ? MODRM : 0;
	case 0x20:
	case 0x21:
	case 0x22:
	case 0x23:
		/* mov to and from control and debug registers */
		cursor->only_registers = true;
		return MODRM;
	default:
		return forms_0f[opcode];
	}
}

static unsigned int vector_form_0f(uint8_t opcode)
{
	if (!is_known(known_vector_0f, COUNT(known_vector_0f), opcode))
		return 0;
	/* vzeroupper, vzeroall */
	if (opcode == 0x77)
		return NONE;
	if ((opcode >= 0x70 && opcode <= 0x73) || opcode == 0xc2 ||
	    (opcode >= 0xc4 && opcode <= 0xc6))
		return MODRM | IMM8;
	return MODRM;
}

static unsigned int vex_form(unsigned int map, uint8_t opcode)
{
	switch (map) {
	case 1:
		return vector_form_0f(opcode);
	case 2:
		return MODRM;
	case 3:
		return MODRM | IMM8;
	default:
		return 0;
	}
}

static unsigned int evex_form(unsigned int map, uint8_t opcode)
{
	/* AVX512-FP16 */
	if (map == 5 || map == 6)
		return MODRM;
	return map == 1 && opcode == 0x77 ? 0 : vex_form(map, opcode);
}

static unsigned int xop_form(unsigned int map)
{
	switch (map) {
	case 8:
		return MODRM | IMM8;
	case 9:
		return MODRM;
	case 10:
		return MODRM | IMMZ;
	default:
		return 0;
	}
}

/* `escape` has been taken; what is left of its prefix and the opcode follow. */
static unsigned int vector_form(struct cursor *cursor, uint8_t escape)
{
	uint8_t payload[3];
	uint8_t opcode;
	size_t count = escape == 0xc5 ? 1 : escape == 0x62 ? 3 : 2;

	if (cursor->operand_size || cursor->repne || cursor->rep ||
	    cursor->lock || cursor->rex)
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (!take_byte(cursor, &payload[i]))
			return 0;
	}
	if (!take_byte(cursor, &opcode))
		return 0;
	switch (escape) {
	case 0xc5:
		return vector_form_0f(opcode);
	case 0xc4:
		return vex_form(payload[0] & 0x1f, opcode);
	case 0x8f:
		return payload[1] & 3 ? 0 : xop_form(payload[0] & 0x1f);
	default:
		/* bits that are fixed without APX */
		if ((payload[0] & 0x08) || !(payload[1] & 0x04))
			return 0;
		return evex_form(payload[0] & 7, opcode);
	}
}

static bool is_vector_escape(const struct cursor *cursor, uint8_t opcode)
{
	/* Of pop, ModRM.reg is 0, so what is a map here is less than 8. */
	return opcode == 0xc4 || opcode == 0xc5 || opcode == 0x62 ||
	       (opcode == 0x8f && (peek(cursor) & 0x1f) >= 8);
}

/* --- Operands --------------------------------------------------------- */

static bool take_modrm(struct cursor *cursor, struct insn_layout *layout)
{
	size_t disp_len;
	uint8_t modrm, sib = 0;

	layout->modrm_at = (uint8_t)cursor->at;
	if (!take_byte(cursor, &modrm))
		return false;
	layout->modrm = modrm;
	if (cursor->only_registers || MODRM_MOD(modrm) == 3)
		return true;
	if (MODRM_RM(modrm) == 4 && !take_byte(cursor, &sib))
		return false;
	switch (MODRM_MOD(modrm)) {
	case 0:
		disp_len = MODRM_RM(modrm) == 5 || (MODRM_RM(modrm) == 4 &&
						    (sib & 7) == 5)
				   ? 4
				   : 0;
		break;
	case 1:
		disp_len = 1;
		break;
	default:
		disp_len = 4;
		break;
	}
	if (disp_len)
		layout->disp_at = (uint8_t)cursor->at;
	cursor->at += disp_len;
	return true;
}

static size_t immediate_len(const struct cursor *cursor, unsigned int form)
{
	bool wide = cursor->rex & REX_W;
	size_t len = 0;

	if (form & IMM8)
		len += 1;
	if (form & IMM16)
		len += 2;
	if (form & (IMMZ | IMMV))
		len += cursor->operand_size && !wide ? 2 : 4;
	if ((form & IMMV) && wide)
		len += 4;
	if (form & MOFFS)
		len += cursor->address_size ? 4 : 8;
	if (form & REL32)
		len += 4;
	return len;
}

/* Intel SDM vol. 2, LOCK. */
static bool is_lockable(const struct cursor *cursor)
{
	const uint8_t *opcode = cursor->code + cursor->opcode_at;

	switch (opcode[0]) {
	case 0x0f:
		return opcode[1] == 0xab || opcode[1] == 0xb0 ||
		       opcode[1] == 0xb1 || opcode[1] == 0xb3 ||
		       opcode[1] == 0xba || opcode[1] == 0xbb ||
		       opcode[1] == 0xc0 || opcode[1] == 0xc1 ||
		       opcode[1] == 0xc7;
	case 0x80:
	case 0x81:
	case 0x83:
	case 0x86:
	case 0x87:
	case 0xf6:
	case 0xf7:
	case 0xfe:
	case 0xff:
		return true;
	default:
		return opcode[0] < 0x38 && (opcode[0] & 7) < 2;
	}
}

static bool is_in_doubt(const struct cursor *cursor, unsigned int form,
			const struct insn_layout *layout)
{
	bool has_memory = layout->modrm_at && !cursor->only_registers &&
			  MODRM_MOD(layout->modrm) != 3;
	uint8_t opcode = cursor->code[cursor->opcode_at];

	/* AMD's processors take two bytes, Intel's four. */
	if ((form & REL32) && cursor->operand_size && !(cursor->rex & REX_W))
		return true;
	if (cursor->lock && !(has_memory && is_lockable(cursor)))
		return true;
	/* lea, far call and far jmp take memory only. */
	return !has_memory &&
	       (opcode == 0x8d ||
		(opcode == 0xff && (MODRM_REG(layout->modrm) == 3 ||
				    MODRM_REG(layout->modrm) == 5)));
}

int insn_decoder_init(struct insn_decoder *decoder, struct upatch_error *err)
{
	(void)err;
	memset(decoder, 0, sizeof(*decoder));
	return 0;
}

void insn_decoder_fini(struct insn_decoder *decoder)
{
	(void)decoder;
}

bool insn_layout_find(struct insn_decoder *decoder, const uint8_t *code,
		      size_t len, struct insn_layout *ret_layout)
{
	struct cursor cursor = {
		.code = code,
		.len = len < INSN_LEN_MAX ? len : INSN_LEN_MAX,
	};
	struct insn_layout layout = { .len = 0 };
	unsigned int form;
	uint8_t opcode;

	(void)decoder;
	take_prefixes(&cursor);
	cursor.opcode_at = (uint8_t)cursor.at;
	if (!take_byte(&cursor, &opcode))
		return false;
	if (is_vector_escape(&cursor, opcode))
		form = vector_form(&cursor, opcode);
	else if (opcode == 0x0f)
		form = form_0f(&cursor);
	else
		form = one_byte_form(&cursor, opcode);
	if (!form || ((form & MODRM) && !take_modrm(&cursor, &layout)))
		return false;
	cursor.at += immediate_len(&cursor, form);
	if (cursor.at > cursor.len || is_in_doubt(&cursor, form, &layout))
		return false;
	layout.len = (uint8_t)cursor.at;
	*ret_layout = layout;
	return true;
}
