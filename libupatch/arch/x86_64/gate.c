/* SPDX-License-Identifier: MIT */
/*
 * The jump at a site and the gate that it leads to.  Indirect branch tracking
 * plays no part: Linux does not offer it to user space, and a jump at an entry
 * is direct.
 */
#include <inttypes.h>
#include <string.h>

#include "emit.h"

#define JUMP_OPCODE 0xe9

/* A branch target of its own, so on a boundary that decoders like. */
#define DECIDE_OFFSET 16

void arch_emit_jump(uint8_t *buf, upatch_addr_t from, upatch_addr_t to)
{
	struct emitter out;

	emitter_init(&out, buf, ARCH_JUMP_LEN, from);
	emit_jump(&out, to);
}

upatch_addr_t arch_gate_decide(upatch_addr_t code)
{
	return code + DECIDE_OFFSET;
}

/* A word that is written while threads read it must not be torn. */
static int check_alignment(const struct arch_gate *gate,
			   struct upatch_error *err)
{
	uint64_t words =
		gate->slot | gate->source | gate->destination | gate->self_move;

	if (!(words % 8) && !(gate->transition % 4))
		return 0;
	return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
			 "cannot place a gate at 0x%" PRIx64
			 ": its words are not aligned",
			 gate->code);
}

/*
 *	cmpl $0, %fs:moved_offset+4
 *	jne 2f
 *	push %rax
 *	mov %fs:moved_offset, %eax
 *	cmp transition(%rip), %eax
 *	pop %rax
 *	jne 1f
 *	jmp *destination(%rip)
 * 1:	jmp *source(%rip)
 * 2:	push %rax
 *	lea slot(%rip), %rax
 *	jmp *self_move(%rip)
 *
 * At a function's entry nothing below the stack pointer is in use, so a push
 * is allowed.
 */
static void emit_decide(struct emitter *out, const struct arch_gate *gate)
{
	static const uint8_t compare_may_move[] = { 0x64, 0x83, 0x3c, 0x25 };
	static const uint8_t jne_self_move[] = { 0x75, 0x1e };
	static const uint8_t load_moved[] = { 0x64, 0x8b, 0x04, 0x25 };
	static const uint8_t compare_rip[] = { 0x3b, 0x05 };
	static const uint8_t jne_over_jump[] = { 0x75, 0x06 };
	static const uint8_t lea_rax_rip[] = { 0x48, 0x8d, 0x05 };

	emit_bytes(out, compare_may_move, sizeof(compare_may_move));
	emit_u32(out, (uint32_t)gate->moved_offset + 4);
	emit_byte(out, 0);
	emit_bytes(out, jne_self_move, sizeof(jne_self_move));
	emit_byte(out, 0x50);
	emit_bytes(out, load_moved, sizeof(load_moved));
	emit_u32(out, (uint32_t)gate->moved_offset);
	emit_bytes(out, compare_rip, sizeof(compare_rip));
	emit_rel32(out, gate->transition, 0);
	emit_byte(out, 0x58);
	emit_bytes(out, jne_over_jump, sizeof(jne_over_jump));
	emit_jump_indirect(out, gate->destination);
	emit_jump_indirect(out, gate->source);
	emit_byte(out, 0x50);
	emit_bytes(out, lea_rax_rip, sizeof(lea_rax_rip));
	emit_rel32(out, gate->slot, 0);
	emit_jump_indirect(out, gate->self_move);
}

int arch_emit_gate(const struct arch_gate *gate, uint8_t *buf,
		   struct upatch_error *err)
{
	struct emitter out;
	int result;

	result = check_alignment(gate, err);
	if (result)
		return result;
	emitter_init(&out, buf, ARCH_GATE_LEN, gate->code);
	emit_jump_indirect(&out, gate->slot);
	emit_padding(&out, DECIDE_OFFSET);
	emit_decide(&out, gate);
	emit_padding(&out, ARCH_GATE_LEN);
	return emitter_check(&out, err);
}

bool arch_emit_gate_led(upatch_addr_t code, upatch_addr_t slot, uint8_t *buf)
{
	struct emitter out;

	emitter_init(&out, buf, ARCH_GATE_HEAD_LEN, code);
	emit_jump_indirect(&out, slot);
	return !emitter_check(&out, NULL);
}

bool arch_emit_gate_direct(upatch_addr_t code, upatch_addr_t to, uint8_t *buf)
{
	struct emitter out;

	emitter_init(&out, buf, ARCH_GATE_HEAD_LEN, code);
	emit_jump(&out, to);
	emit_padding(&out, ARCH_GATE_HEAD_LEN);
	return !emitter_check(&out, NULL);
}

bool arch_gate_is_direct(const uint8_t *code)
{
	return code[0] == JUMP_OPCODE;
}
