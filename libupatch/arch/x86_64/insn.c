/* SPDX-License-Identifier: MIT */
/*
 * What kind of branch an instruction is follows from its opcode (Intel SDM
 * vol. 2, appendix A); insn_layout.h tells where it ends.
 */
#include "insn.h"

#include <string.h>

#define REX_B 0x01
#define REX_W 0x08

#define MODRM_MOD(modrm) ((modrm) >> 6)
#define MODRM_REG(modrm) (((modrm) >> 3) & 7)
#define MODRM_RM(modrm)	 ((modrm)&7)

struct prefixes {
	uint8_t len;
	uint8_t rex; /* 0: none */
	bool operand_size, address_size, lock;
};

static void parse_prefixes(const uint8_t *bytes, size_t len,
			   struct prefixes *ret_prefixes)
{
	struct prefixes prefixes = { 0 };

	for (; prefixes.len < len; prefixes.len++) {
		uint8_t byte = bytes[prefixes.len];

		if ((byte & 0xf0) == 0x40) {
			prefixes.rex = byte;
			continue;
		}
		if (byte == 0x66)
			prefixes.operand_size = true;
		else if (byte == 0x67)
			prefixes.address_size = true;
		else if (byte == 0xf0)
			prefixes.lock = true;
		else if (byte != 0xf2 && byte != 0xf3 && byte != 0x26 &&
			 byte != 0x2e && byte != 0x36 && byte != 0x3e &&
			 byte != 0x64 && byte != 0x65)
			break;
		/* A REX prefix counts only right before the opcode. */
		prefixes.rex = 0;
	}
	*ret_prefixes = prefixes;
}

static enum insn_kind classify_two_byte(uint8_t opcode)
{
	if (opcode >= 0x80 && opcode <= 0x8f)
		return INSN_CONDITIONAL;
	/* syscall, sysret, sysenter, sysexit */
	if (opcode == 0x05 || opcode == 0x07 || opcode == 0x34 ||
	    opcode == 0x35)
		return INSN_SYSTEM_CALL;
	return INSN_PLAIN;
}

static enum insn_kind classify_group_5(uint8_t modrm)
{
	switch (MODRM_REG(modrm)) {
	case 2:
		return INSN_CALL_INDIRECT;
	case 3:
	case 5:
		return INSN_FAR;
	case 4:
		return INSN_JUMP_INDIRECT;
	default:
		return INSN_PLAIN;
	}
}

/* `next` is the byte behind the opcode, 0 if there is none. */
static enum insn_kind classify(uint8_t opcode, uint8_t next)
{
	if (opcode >= 0x70 && opcode <= 0x7f)
		return INSN_CONDITIONAL;
	switch (opcode) {
	case 0x0f:
		return classify_two_byte(next);
	case 0xc2:
	case 0xc3:
		return INSN_RETURN;
	case 0xc7:
		return next == 0xf8 ? INSN_TRANSACTION : INSN_PLAIN;
	case 0xca:
	case 0xcb:
	case 0xcf:
		return INSN_FAR;
	case 0xcc:
	case 0xf1:
		return INSN_BREAKPOINT;
	case 0xcd:
		return INSN_SYSTEM_CALL;
	case 0xe0:
	case 0xe1:
	case 0xe2:
	case 0xe3:
		return INSN_COUNTED;
	case 0xe8:
		return INSN_CALL;
	case 0xe9:
	case 0xeb:
		return INSN_JUMP;
	case 0xff:
		return classify_group_5(next);
	default:
		return INSN_PLAIN;
	}
}

bool insn_has_target(const struct insn *insn)
{
	return insn->kind == INSN_JUMP || insn->kind == INSN_CONDITIONAL ||
	       insn->kind == INSN_COUNTED || insn->kind == INSN_CALL ||
	       insn->kind == INSN_TRANSACTION;
}

bool insn_is_call(const struct insn *insn)
{
	return insn->kind == INSN_CALL || insn->kind == INSN_CALL_INDIRECT;
}

bool insn_falls_through(const struct insn *insn)
{
	switch (insn->kind) {
	case INSN_JUMP:
	case INSN_CALL:
	case INSN_JUMP_INDIRECT:
	case INSN_CALL_INDIRECT:
	case INSN_RETURN:
	case INSN_FAR:
		return false;
	default:
		return true;
	}
}

static bool is_near_branch(const struct insn *insn)
{
	return insn_has_target(insn) || insn->kind == INSN_CALL_INDIRECT ||
	       insn->kind == INSN_JUMP_INDIRECT;
}

static int64_t read_displacement(const struct insn *insn, size_t at,
				 size_t size)
{
	int32_t wide;

	if (size == 1)
		return (int8_t)insn->bytes[at];
	memcpy(&wide, insn->bytes + at, sizeof(wide));
	return wide;
}

/* The displacement ends the instruction; what is left of it tells its size. */
static bool find_target(struct insn *insn)
{
	uint8_t opcode = insn->bytes[insn->opcode_at];
	size_t opcode_len = opcode == 0x0f || opcode == 0xc7 ? 2 : 1;
	size_t at = insn->opcode_at + opcode_len;
	size_t size = insn->len - at;

	if (at >= insn->len || (size != 1 && size != 4))
		return false;
	insn->target = insn->addr + insn->len +
		       (uint64_t)read_displacement(insn, at, size);
	return true;
}

/*
 * mod 00, rm 101 is disp32(%rip) in 64-bit mode.  mov to and from control and
 * debug registers has no memory operand, whatever its mod field says, and so
 * no displacement.
 */
static void find_rip_operand(const struct insn_layout *layout,
			     struct insn *insn)
{
	size_t modrm_at = layout->modrm_at;

	if (modrm_at == 0 || MODRM_MOD(layout->modrm) != 0 ||
	    MODRM_RM(layout->modrm) != 5)
		return;
	if (layout->disp_at != modrm_at + 1 || modrm_at + 5 > insn->len)
		return;
	insn->rip_disp_at = (uint8_t)(modrm_at + 1);
	insn->operand = insn->addr + insn->len +
			(uint64_t)read_displacement(insn, insn->rip_disp_at, 4);
}

/* `call *%rsp` or `call *disp(%rsp, …)`: its copy pushes before it reads. */
static bool calls_through_rsp(const struct insn *insn, uint8_t rex)
{
	uint8_t modrm;

	/* Others may end with their opcode, at the fifteenth byte. */
	if (insn->kind != INSN_CALL_INDIRECT || (rex & REX_B))
		return false;
	modrm = insn->bytes[insn->opcode_at + 1];
	if (MODRM_RM(modrm) != 4)
		return false;
	if (MODRM_MOD(modrm) == 3)
		return true;
	return MODRM_RM(insn->bytes[insn->opcode_at + 2]) == 4;
}

static const char *find_obstacle(const struct insn *insn,
				 const struct prefixes *prefixes)
{
	switch (insn->kind) {
	case INSN_FAR:
		return "a far transfer of control";
	case INSN_TRANSACTION:
		return "a memory transaction begins there";
	case INSN_SYSTEM_CALL:
		return "a system call, which the kernel may restart there";
	case INSN_BREAKPOINT:
		return "a breakpoint is set there";
	default:
		break;
	}
	if (calls_through_rsp(insn, prefixes->rex))
		return "a call through the stack pointer";
	/* Its address is cut to 32 bits, so distances mean nothing. */
	if (insn->rip_disp_at && prefixes->address_size)
		return "an operand relative to eip";
	return NULL;
}

bool insn_decode(struct insn_decoder *decoder, const uint8_t *code, size_t len,
		 upatch_addr_t addr, struct insn *ret_insn)
{
	struct insn insn = { .addr = addr };
	struct insn_layout layout;
	struct prefixes prefixes;

	if (!insn_layout_find(decoder, code, len, &layout))
		return false;
	insn.len = layout.len;
	memcpy(insn.bytes, code, insn.len);
	parse_prefixes(insn.bytes, insn.len, &prefixes);
	if (prefixes.len == insn.len)
		return false;
	insn.opcode_at = prefixes.len;
	insn.kind = classify(insn.bytes[prefixes.len],
			     prefixes.len + 1 < insn.len
				     ? insn.bytes[prefixes.len + 1]
				     : 0);
	/*
	 * 0x66 makes a near branch 16 bits wide on AMD processors and is
	 * ignored by Intel's, unless REX.W settles it, as in the calls of
	 * __tls_get_addr (ELF Handling for Thread-Local Storage, 4.1.6).
	 */
	if (is_near_branch(&insn) &&
	    (prefixes.lock ||
	     (prefixes.operand_size && !(prefixes.rex & REX_W))))
		return false;
	if (insn_has_target(&insn) && !find_target(&insn))
		return false;
	find_rip_operand(&layout, &insn);
	insn.unmovable = find_obstacle(&insn, &prefixes);
	*ret_insn = insn;
	return true;
}
