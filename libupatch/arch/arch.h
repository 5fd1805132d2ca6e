/* SPDX-License-Identifier: MIT */
/*
 * Everything that depends on the processor: instruction bytes.  Pure code:
 * buffers in, bytes or answers out; nothing here touches a process.
 * arch_thread.h has the other half, registers and stops of a thread.
 */
#ifndef UPATCH_ARCH_H
#define UPATCH_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../addr.h"
#include "../error.h"

/* The instruction at a site's entry is replaced by a jump of this length. */
#define ARCH_JUMP_LEN 5
/* A site's jump reaches its gate if |gate - site| is less than this. */
#define ARCH_JUMP_REACH 0x7fff0000UL

/* --- The entry of a function ------------------------------------------ */

/* The most bytes of whole instructions that a jump can overwrite. */
#define ARCH_MOVED_MAX 24
/* The most bytes that the copy of these instructions needs. */
#define ARCH_ORIGINAL_MAX 160
/* The most instructions among them. */
#define ARCH_TWINS_MAX 8

/* An instruction among the overwritten ones, and where its copy stands. */
struct arch_twin {
	uint8_t from; /* offset from the function's start */
	uint8_t to;   /* offset from the start of the copy */
};

struct arch_entry {
	upatch_addr_t addr; /* of the function */
	/* where the jump goes: 0, or 4 after an endbr64 */
	uint8_t jump_offset;
	/* end of the last instruction that the jump touches, from addr */
	uint8_t moved_end;
	/* the function's bytes before the patch, [0, moved_end) */
	uint8_t bytes[ARCH_MOVED_MAX + 4];
};

/*
 * Decides whether the function whose code is code[0, len), running at `addr`,
 * can be redirected, and which instructions the jump overwrites.  Refused,
 * UPATCH_ERROR_MISMATCH with the reason: too short, a branch of the function
 * into the overwritten bytes or back to its entry, an instruction that cannot
 * be moved, a call whose return address would be overwritten, bytes that are
 * no instruction.  `len` must not reach into another function.  Jumps through
 * a register or a table are taken not to lead into the overwritten bytes.
 * `name` is for messages.
 */
UPATCH_MUST_CHECK int arch_entry_analyze(const char *name, const uint8_t *code,
					 size_t len, upatch_addr_t addr,
					 struct arch_entry *ret_entry,
					 struct upatch_error *err);

/*
 * Does the function do nothing but return, with padding behind it that a jump
 * may overwrite?
 */
bool arch_is_empty_function(const uint8_t *code, size_t len);

/* A run of code that belongs to a function: its body, or foo.cold. */
struct arch_part {
	const char *name; /* for messages */
	const uint8_t *code;
	size_t len;
	upatch_addr_t addr; /* of code[0] */
};

/*
 * The same look at the branches of a part that the compiler put elsewhere.
 * `name` is the function's.
 */
UPATCH_MUST_CHECK int arch_entry_check_part(const char *name,
					    const struct arch_entry *entry,
					    const struct arch_part *part,
					    struct upatch_error *err);

/*
 * The jump for a site: ARCH_JUMP_LEN bytes, to be written at `from`.  The
 * caller has seen to it that `to` is within ARCH_JUMP_REACH.
 */
void arch_emit_jump(uint8_t *buf, upatch_addr_t from, upatch_addr_t to);

/*
 * Emits, to run at `copy_addr`, the original: the moved instructions and a
 * jump to the first one that is left.  A moved call pushes the return address
 * that the call in its old place would have pushed, so that unwinders know it.
 * `twins` (ARCH_TWINS_MAX entries) tells for each moved instruction where its
 * copy begins.  Refused, UPATCH_ERROR_MISMATCH: something that the moved
 * instructions refer to is too far away from copy_addr.
 */
UPATCH_MUST_CHECK int arch_emit_original(const struct arch_entry *entry,
					 upatch_addr_t copy_addr, uint8_t *buf,
					 size_t size, size_t *ret_len,
					 struct arch_twin *twins,
					 size_t *ret_twin_count,
					 struct upatch_error *err);

/* --- Gates ------------------------------------------------------------ */

/* Code size of a gate, original not included; a multiple of 16. */
#define ARCH_GATE_LEN 80

/* Where a gate's code and the words that steer it are. */
struct arch_gate {
	upatch_addr_t code;	   /* entry of the gate */
	upatch_addr_t slot;	   /* word: where the gate jumps */
	upatch_addr_t source;	   /* word: for threads that have not moved */
	upatch_addr_t destination; /* word: for threads that have moved */
	upatch_addr_t transition;  /* 32-bit word: id of the transition */
	int32_t moved_offset;	   /* of the thread's moved word, from %fs */
	/*
	 * Word: code of the runtime that lets a thread move itself.  Taken by
	 * threads whose 32-bit word behind the moved word is not 0, with the
	 * gate's words (`slot` is the first) as its operand.
	 */
	upatch_addr_t self_move;
};

/*
 * Emits ARCH_GATE_LEN bytes to run at gate->code: `jmp *slot`, and behind it,
 * at arch_gate_decide(gate->code), code that jumps to *destination if the thread's
 * 32-bit moved word equals the transition's id and to *source otherwise; a
 * thread that may move itself goes through *self_move first, which chooses.
 * Nothing but flags is changed.  Fails if a word is out of reach or not
 * aligned to its size.
 */
UPATCH_MUST_CHECK int arch_emit_gate(const struct arch_gate *gate, uint8_t *buf,
				     struct upatch_error *err);
upatch_addr_t arch_gate_decide(upatch_addr_t code);

/* The first instruction of a gate, whichever it is. */
#define ARCH_GATE_HEAD_LEN 6

/*
 * That instruction, for the gate at `code`: `jmp *slot`, or a direct jump to
 * `to`, which saves a read of memory.  False: out of reach.
 */
bool arch_emit_gate_led(upatch_addr_t code, upatch_addr_t slot, uint8_t *buf);
bool arch_emit_gate_direct(upatch_addr_t code, upatch_addr_t to, uint8_t *buf);
bool arch_gate_is_direct(const uint8_t *code);

#endif
