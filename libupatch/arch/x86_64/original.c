/* SPDX-License-Identifier: MIT */
/*
 * The original of a patched function: its first instructions, made to mean the
 * same in another place, and a jump to the rest.
 */
#include <inttypes.h>
#include <string.h>

#include "emit.h"
#include "insn.h"

/* A branch of a copy to a copy: the distance is known when all are placed. */
struct inner_branch {
	uint8_t at;   /* offset of its rel32 in the copy */
	uint8_t from; /* offset of its target from the function's start */
};

struct original {
	const struct arch_entry *entry;
	struct insn insns[ARCH_TWINS_MAX];
	struct arch_twin twins[ARCH_TWINS_MAX];
	size_t count;
	struct inner_branch inner[ARCH_TWINS_MAX];
	size_t inner_count;
	struct emitter out;
};

static int refuse(const struct arch_entry *entry, struct upatch_error *err,
		  unsigned int offset, const char *reason)
{
	return error_set(err, UPATCH_ERROR_MISMATCH, 0,
			 "cannot move the instruction at 0x%" PRIx64 ": %s",
			 entry->addr + offset, reason);
}

/*
 * The entry may come from a target's memory, hence nothing about it is taken
 * for granted.
 */
static int decode_moved(struct original *original, struct insn_decoder *decoder,
			struct upatch_error *err)
{
	const struct arch_entry *entry = original->entry;
	unsigned int offset = entry->jump_offset;
	struct insn *insn;

	if (entry->moved_end > sizeof(entry->bytes) ||
	    entry->moved_end < offset + ARCH_JUMP_LEN)
		return refuse(entry, err, offset, "its length is wrong");
	while (offset < entry->moved_end) {
		if (original->count == ARCH_TWINS_MAX)
			return refuse(entry, err, offset,
				      "too many instructions");
		insn = &original->insns[original->count++];
		if (!insn_decode(decoder, entry->bytes + offset,
				 entry->moved_end - offset,
				 entry->addr + offset, insn))
			return refuse(entry, err, offset,
				      "no known instruction");
		if (insn->unmovable)
			return refuse(entry, err, offset, insn->unmovable);
		offset += insn->len;
	}
	return 0;
}

static bool is_moved(const struct original *original, upatch_addr_t addr)
{
	for (size_t i = 0; i < original->count; i++) {
		if (original->insns[i].addr == addr)
			return true;
	}
	return false;
}

static void emit_branch_distance(struct original *original, upatch_addr_t to)
{
	struct emitter *out = &original->out;
	struct inner_branch *inner;

	if (!is_moved(original, to)) {
		emit_rel32(out, to, 0);
		return;
	}
	inner = &original->inner[original->inner_count++];
	inner->at = (uint8_t)out->len;
	inner->from = (uint8_t)(to - original->entry->addr);
	emit_u32(out, 0);
}

static void resolve_inner_branches(struct original *original)
{
	for (size_t i = 0; i < original->inner_count; i++) {
		const struct inner_branch *inner = &original->inner[i];
		const struct arch_twin *twin = original->twins;
		int32_t distance;

		while (twin->from != inner->from)
			twin++;
		distance = twin->to - (inner->at + 4);
		memcpy(original->out.buf + inner->at, &distance,
		       sizeof(distance));
	}
}

/* The bytes as they are, but for the distance to an operand. */
static void emit_plain(struct emitter *out, const struct insn *insn)
{
	size_t behind;

	if (!insn->rip_disp_at) {
		emit_bytes(out, insn->bytes, insn->len);
		return;
	}
	behind = (size_t)(insn->len - insn->rip_disp_at - 4);
	emit_bytes(out, insn->bytes, insn->rip_disp_at);
	emit_rel32(out, insn->operand, behind);
	emit_bytes(out, insn->bytes + insn->rip_disp_at + 4, behind);
}

/*
 * Prefixes of direct branches mean nothing here and are left out: branch
 * hints, bnd, and the addr32 that ld puts before a call that was one through
 * the GOT (x86-64 psABI, B.2).
 */
static void emit_conditional(struct original *original, const struct insn *insn)
{
	const uint8_t *opcode = insn->bytes + insn->opcode_at;

	emit_byte(&original->out, 0x0f);
	emit_byte(&original->out,
		  opcode[0] == 0x0f ? opcode[1] : (uint8_t)(opcode[0] + 0x10));
	emit_branch_distance(original, insn->target);
}

/*
 * There is no long form of loop and jrcxz:
 *
 *	loop 1f
 *	jmp 2f
 * 1:	jmp target
 * 2:
 */
static void emit_counted(struct original *original, const struct insn *insn)
{
	static const uint8_t detour[] = { 0x02, 0xeb, 0x05, 0xe9 };

	/* an address size prefix selects ecx: it stays */
	emit_bytes(&original->out, insn->bytes, insn->opcode_at + 1u);
	emit_bytes(&original->out, detour, sizeof(detour));
	emit_branch_distance(original, insn->target);
}

/*
 *	push 1f(%rip)
 *	jmp target
 * 1:	.quad return address of the call in its old place
 *
 * One instruction stores all of the return address, so that whoever looks at
 * the stack sees either nothing or the truth.  The callee returns to the
 * function, behind the jump; nothing of the copy is on the stack then.  This
 * needs a target without a shadow stack, which only call writes to.
 */
static void emit_call(struct original *original, const struct insn *insn)
{
	static const uint8_t push[] = { 0xff, 0x35 };
	struct emitter *out = &original->out;
	size_t jump_len = insn->kind == INSN_CALL ? 5 : insn->len;

	emit_bytes(out, push, sizeof(push));
	emit_u32(out, (uint32_t)jump_len);
	if (insn->kind == INSN_CALL) {
		/* A call of the entry is a new call: it takes the gate. */
		emit_jump(out, insn->target);
	} else {
		/* call r/m64 is ff /2, jmp r/m64 is ff /4 */
		struct insn jump = *insn;
		uint8_t *modrm = &jump.bytes[jump.opcode_at + 1];

		*modrm = (uint8_t)((*modrm & ~0x38) | 4 << 3);
		emit_plain(out, &jump);
	}
	emit_u64(out, insn->addr + insn->len);
}

static void emit_insn(struct original *original, const struct insn *insn)
{
	switch (insn->kind) {
	case INSN_JUMP:
		emit_byte(&original->out, 0xe9);
		emit_branch_distance(original, insn->target);
		break;
	case INSN_CONDITIONAL:
		emit_conditional(original, insn);
		break;
	case INSN_COUNTED:
		emit_counted(original, insn);
		break;
	case INSN_CALL:
	case INSN_CALL_INDIRECT:
		emit_call(original, insn);
		break;
	default:
		emit_plain(&original->out, insn);
		break;
	}
}

static int emit_moved(struct original *original, struct upatch_error *err)
{
	const struct arch_entry *entry = original->entry;
	const struct insn *last = NULL;
	int result;

	for (size_t i = 0; i < original->count; i++) {
		last = &original->insns[i];
		original->twins[i] = (struct arch_twin){
			.from = (uint8_t)(last->addr - entry->addr),
			.to = (uint8_t)original->out.len,
		};
		emit_insn(original, last);
	}
	if (!last || insn_falls_through(last))
		emit_jump(&original->out, entry->addr + entry->moved_end);
	result = emitter_check(&original->out, err);
	if (result)
		return result;
	resolve_inner_branches(original);
	return 0;
}

int arch_emit_original(const struct arch_entry *entry, upatch_addr_t copy_addr,
		       uint8_t *buf, size_t size, size_t *ret_len,
		       struct arch_twin *twins, size_t *ret_twin_count,
		       struct upatch_error *err)
{
	struct original original = { .entry = entry };
	struct insn_decoder decoder;
	int result;

	result = insn_decoder_init(&decoder, err);
	if (result)
		return result;
	emitter_init(&original.out, buf, size, copy_addr);
	result = decode_moved(&original, &decoder, err);
	if (!result)
		result = emit_moved(&original, err);
	insn_decoder_fini(&decoder);
	if (result)
		return result;
	*ret_len = original.out.len;
	memcpy(twins, original.twins, sizeof(original.twins));
	*ret_twin_count = original.count;
	return 0;
}
