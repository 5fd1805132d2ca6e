/* SPDX-License-Identifier: MIT */
/*
 * What is certain about registers and stack at one instruction of a function,
 * on whatever way execution came there.
 */
#ifndef UPATCH_X86_64_FRAME_STATE_H
#define UPATCH_X86_64_FRAME_STATE_H

#include "effect.h"

enum value_kind {
	VALUE_ANY,
	VALUE_ENTRY,   /* what the register `offset` held at entry */
	VALUE_STACK,   /* the stack pointer at entry, plus offset */
	VALUE_ALIGNED, /* the stack pointer after it was aligned, plus offset */
	VALUE_FIXED,   /* an address relative to rip */
};

struct value {
	enum value_kind kind;
	int32_t offset;
};

/* A word of the function's own frame with a value that is worth knowing. */
struct frame_slot {
	struct value place; /* VALUE_STACK or VALUE_ALIGNED */
	struct value content;
};
#define FRAME_SLOTS 12

struct frame_state {
	struct value general[GENERAL_COUNT];
	struct frame_slot slots[FRAME_SLOTS];
	uint8_t slot_count;
	/* the rest has been written on some way here */
	uint32_t vector_written;
	uint32_t opmask_written;
	/* vector registers written, on some way, and not read since */
	uint32_t vector_unread;
};

/* Places at or above this are incoming arguments; below is the return address. */
#define FRAME_ARGS 8

/* What instructions do with the caller's part of the stack. */
struct frame_args {
	/* end of what is accessed directly, from FRAME_ARGS */
	uint32_t bytes;
	/* an address there goes where it cannot be followed */
	bool escape;
	/* the return address is changed */
	bool return_changed;
};

void frame_state_init(struct frame_state *state);

/* Executes one instruction that is no call; notes in `args` what it touches. */
void frame_state_step(struct frame_state *state, const struct effect *effect,
		      struct frame_args *args);

/*
 * A call of something that writes `written` and leaves in `results` what may
 * be its result.  Callee-saved registers are as before.
 */
void frame_state_call(struct frame_state *state,
		      const struct clobber_set *written, uint32_t results,
		      struct frame_args *args);

/*
 * Reduces `state` to what is also certain in `other`; true: it has changed.
 */
bool frame_state_join(struct frame_state *state,
		      const struct frame_state *other, struct frame_args *args);

/* Caller-saved registers that do not hold what they held at entry. */
void frame_state_written(const struct frame_state *state,
			 struct clobber_set *ret_written);

#endif
