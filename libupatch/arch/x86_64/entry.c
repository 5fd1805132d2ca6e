/* SPDX-License-Identifier: MIT */
/*
 * Can the entry of a function be overwritten with a jump?  Two questions: can
 * the instructions under the jump run elsewhere, and does any other code lead
 * into them or rely on them?
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "insn.h"

#define ENDBR64_LEN 4

struct candidate {
	const char *name;
	struct arch_entry entry;
	/* bit n: a moved instruction begins n bytes behind entry.addr */
	uint32_t moved_starts;
	struct insn_decoder *decoder;
};

_Static_assert(ENDBR64_LEN + ARCH_JUMP_LEN - 1 + INSN_LEN_MAX < 32,
	       "moved_starts has a bit for each moved byte");
_Static_assert(ARCH_JUMP_LEN - 1 + INSN_LEN_MAX <= ARCH_MOVED_MAX,
	       "the last moved instruction may be as long as any");

__attribute__((format(printf, 3, 4))) static int
refuse(const char *name, struct upatch_error *err, const char *format, ...)
{
	char reason[256];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	return error_set(err, UPATCH_ERROR_MISMATCH, 0,
			 "cannot redirect '%s': %s", name, reason);
}

static bool begins_with_endbr64(const uint8_t *code, size_t len)
{
	static const uint8_t endbr64[ENDBR64_LEN] = { 0xf3, 0x0f, 0x1e, 0xfa };

	return len >= ENDBR64_LEN && !memcmp(code, endbr64, ENDBR64_LEN);
}

static unsigned int jump_end(const struct arch_entry *entry)
{
	return entry->jump_offset + ARCH_JUMP_LEN;
}

/* The jump's first byte is not inside: who goes there executes the jump. */
static bool is_inside_jump(const struct arch_entry *entry, upatch_addr_t addr)
{
	upatch_addr_t offset = addr - entry->addr;

	return offset > entry->jump_offset && offset < jump_end(entry);
}

static bool is_entry(const struct arch_entry *entry, upatch_addr_t addr)
{
	return addr - entry->addr <= entry->jump_offset;
}

/* A jump between moved instructions: its copy goes to the target's copy. */
static bool stays_in_moved(const struct candidate *candidate,
			   const struct insn *insn)
{
	const struct arch_entry *entry = &candidate->entry;
	upatch_addr_t from = insn->addr - entry->addr;
	upatch_addr_t to = insn->target - entry->addr;

	return insn->kind != INSN_CALL && from < entry->moved_end &&
	       to < entry->moved_end && (candidate->moved_starts >> to & 1);
}

static int choose_moved(struct candidate *candidate,
			const struct arch_part *body, struct upatch_error *err)
{
	struct arch_entry *entry = &candidate->entry;
	unsigned int offset = entry->jump_offset;
	struct insn insn;

	while (offset < jump_end(entry)) {
		if (!insn_decode(candidate->decoder, body->code + offset,
				 body->len - offset, body->addr + offset,
				 &insn))
			return refuse(candidate->name, err,
				      "no known instruction at +0x%x", offset);
		if (insn.unmovable)
			return refuse(
				candidate->name, err,
				"cannot move the instruction at +0x%x: %s",
				offset, insn.unmovable);
		candidate->moved_starts |= 1u << offset;
		offset += insn.len;
		/* A thread may be inside the callee for as long as it likes. */
		if (insn_is_call(&insn) && offset < jump_end(entry))
			return refuse(candidate->name, err,
				      "a call returns to +0x%x, into the jump",
				      offset);
	}
	entry->moved_end = (uint8_t)offset;
	memcpy(entry->bytes, body->code, offset);
	return 0;
}

/*
 * A branch back to the entry is refused as well: it would carry a thread that
 * is in the middle of the old function through the gate, with registers and
 * stack that the new function does not expect.  A call of the entry is what
 * any caller does.
 */
static int check_insn(const struct candidate *candidate,
		      const struct arch_part *part, const struct insn *insn,
		      struct upatch_error *err)
{
	const struct arch_entry *entry = &candidate->entry;
	upatch_addr_t at = insn->addr - part->addr;

	if (insn_has_target(insn) && insn->kind != INSN_CALL &&
	    is_entry(entry, insn->target))
		return refuse(candidate->name, err,
			      "the branch at %s+0x%" PRIx64
			      " goes back to the entry",
			      part->name, at);
	if (insn_has_target(insn) && is_inside_jump(entry, insn->target) &&
	    !stays_in_moved(candidate, insn))
		return refuse(candidate->name, err,
			      "the branch at %s+0x%" PRIx64
			      " leads to +0x%" PRIx64 ", into the jump",
			      part->name, at, insn->target - entry->addr);
	if (insn->rip_disp_at && is_inside_jump(entry, insn->operand))
		return refuse(candidate->name, err,
			      "the instruction at %s+0x%" PRIx64
			      " refers to +0x%" PRIx64 ", into the jump",
			      part->name, at, insn->operand - entry->addr);
	return 0;
}

/*
 * A linear sweep.  Where bytes are no instruction (data, or an instruction
 * that is not known) it goes on at the next byte; x86 code falls
 * into step again after a few instructions.  Indirect jumps are not followed:
 * what they lead to is a case of a switch, behind the jump and the
 * computation of its target, which do not fit into five bytes.
 */
static int check_branches(const struct candidate *candidate,
			  const struct arch_part *part,
			  struct upatch_error *err)
{
	struct insn insn;
	size_t offset = 0;
	int result;

	while (offset < part->len) {
		if (!insn_decode(candidate->decoder, part->code + offset,
				 part->len - offset, part->addr + offset,
				 &insn)) {
			offset++;
			continue;
		}
		result = check_insn(candidate, part, &insn, err);
		if (result)
			return result;
		offset += insn.len;
	}
	return 0;
}

int arch_entry_analyze(const char *name, const uint8_t *code, size_t len,
		       upatch_addr_t addr, struct arch_entry *ret_entry,
		       struct upatch_error *err)
{
	const struct arch_part body = { name, code, len, addr };
	struct candidate candidate = { .name = name, .entry.addr = addr };
	struct insn_decoder decoder;
	int result;

	if (begins_with_endbr64(code, len))
		candidate.entry.jump_offset = ENDBR64_LEN;
	/* What follows the function may be another one, not padding. */
	if (len < jump_end(&candidate.entry))
		return refuse(name, err, "too short: %zu bytes", len);
	result = insn_decoder_init(&decoder, err);
	if (result)
		return result;
	candidate.decoder = &decoder;
	result = choose_moved(&candidate, &body, err);
	if (!result)
		result = check_branches(&candidate, &body, err);
	insn_decoder_fini(&decoder);
	if (!result)
		*ret_entry = candidate.entry;
	return result;
}

int arch_entry_check_part(const char *name, const struct arch_entry *entry,
			  const struct arch_part *part,
			  struct upatch_error *err)
{
	struct candidate candidate = { .name = name, .entry = *entry };
	struct insn_decoder decoder;
	int result;

	result = insn_decoder_init(&decoder, err);
	if (result)
		return result;
	candidate.decoder = &decoder;
	result = check_branches(&candidate, part, err);
	insn_decoder_fini(&decoder);
	return result;
}
