/* SPDX-License-Identifier: MIT */
/*
 * Registers and stack words as symbols.  Everything that is forgotten here
 * counts as changed; addresses that cannot be followed into the arguments are
 * reported, other stores are taken not to hit the slots of a frame: what a
 * compiler saves there has no address that the program knows.
 */
#include "frame_state.h"

#include <string.h>

static const struct value any_value = { VALUE_ANY, 0 };

static bool value_equal(struct value a, struct value b)
{
	return a.kind == b.kind && a.offset == b.offset;
}

static bool is_place(struct value value)
{
	return value.kind == VALUE_STACK || value.kind == VALUE_ALIGNED;
}

static bool is_args_address(struct value value)
{
	return value.kind == VALUE_STACK && value.offset >= FRAME_ARGS;
}

static struct value value_add(struct value value, int64_t offset)
{
	if (offset == 0)
		return value;
	if (!is_place(value) || offset < INT32_MIN / 4 ||
	    offset > INT32_MAX / 4 || value.offset < INT32_MIN / 4 ||
	    value.offset > INT32_MAX / 4)
		return any_value;
	value.offset += (int32_t)offset;
	return value;
}

void frame_state_init(struct frame_state *state)
{
	*state = (struct frame_state){ 0 };
	for (int32_t i = 0; i < GENERAL_COUNT; i++)
		state->general[i] = (struct value){ VALUE_ENTRY, i };
	state->general[RSP] = (struct value){ VALUE_STACK, 0 };
}

/* --- Slots --------------------------------------------------------------- */

static bool overlaps(const struct frame_slot *slot, struct value place,
		     uint32_t size)
{
	return slot->place.kind == place.kind &&
	       place.offset < slot->place.offset + 8 &&
	       slot->place.offset < place.offset + (int32_t)size;
}

static void drop_slot(struct frame_state *state, unsigned int index)
{
	state->slots[index] = state->slots[--state->slot_count];
}

static void forget_slots(struct frame_state *state, struct value place,
			 uint32_t size)
{
	for (unsigned int i = state->slot_count; i-- > 0;) {
		if (overlaps(&state->slots[i], place, size))
			drop_slot(state, i);
	}
}

static void store_slot(struct frame_state *state, struct value place,
		       struct value content)
{
	forget_slots(state, place, 8);
	if (content.kind == VALUE_ANY || state->slot_count == FRAME_SLOTS)
		return;
	state->slots[state->slot_count++] =
		(struct frame_slot){ place, content };
}

static struct value load_slot(const struct frame_state *state,
			      struct value place)
{
	for (unsigned int i = 0; i < state->slot_count; i++) {
		if (value_equal(state->slots[i].place, place))
			return state->slots[i].content;
	}
	return any_value;
}

/* What lies below the stack pointer does not outlive a call. */
static void forget_below_stack_pointer(struct frame_state *state)
{
	struct value sp = state->general[RSP];

	for (unsigned int i = state->slot_count; i-- > 0;) {
		struct value place = state->slots[i].place;

		if (place.kind == sp.kind && place.offset < sp.offset)
			drop_slot(state, i);
	}
}

/* --- One instruction ------------------------------------------------------ */

static void note_access(struct value place, const struct effect_memory *memory,
			struct frame_args *args)
{
	int32_t end = place.offset + memory->size;

	if (place.kind != VALUE_STACK)
		return;
	if (memory->vague)
		args->escape = true;
	if (end <= 0)
		return;
	/* Which element of an array in the arguments, nobody knows. */
	if (memory->index != GENERAL_NONE && place.offset >= FRAME_ARGS)
		args->escape = true;
	if (memory->written && place.offset < FRAME_ARGS &&
	    memory->index == GENERAL_NONE)
		args->return_changed = true;
	if (end > FRAME_ARGS && (uint32_t)(end - FRAME_ARGS) > args->bytes)
		args->bytes = (uint32_t)(end - FRAME_ARGS);
}

static struct value memory_place(const struct frame_state *state,
				 const struct effect_memory *memory)
{
	struct value place;

	if (!memory->used || memory->base == GENERAL_NONE)
		return any_value;
	place = state->general[memory->base];
	return is_place(place) ? value_add(place, memory->disp) : any_value;
}

static void push_value(struct frame_state *state, struct value content)
{
	struct value sp = value_add(state->general[RSP], -8);

	state->general[RSP] = sp;
	if (is_place(sp))
		store_slot(state, sp, content);
}

static struct value pop_value(struct frame_state *state)
{
	struct value sp = state->general[RSP];

	state->general[RSP] = value_add(sp, 8);
	return is_place(sp) ? load_slot(state, sp) : any_value;
}

static void align_register(struct frame_state *state, uint8_t number)
{
	struct value *value = &state->general[number];

	/* Its distance from the entry is not known any more. */
	if (value->kind == VALUE_STACK && number == RSP)
		*value = (struct value){ VALUE_ALIGNED, 0 };
	else
		*value = any_value;
}

static void leave_frame(struct frame_state *state)
{
	state->general[RSP] = state->general[RBP];
	state->general[RBP] = pop_value(state);
}

static struct value source_value(const struct frame_state *state,
				 const struct effect *effect)
{
	return effect->src == GENERAL_NONE ? any_value
					   : state->general[effect->src];
}

static void set_value(struct frame_state *state, uint8_t number,
		      struct value value)
{
	if (number != GENERAL_NONE)
		state->general[number] = value;
}

static void move_value(struct frame_state *state, const struct effect *effect,
		       struct value place)
{
	struct value source;

	switch (effect->move) {
	case EFFECT_ADD:
		source = value_add(source_value(state, effect), effect->offset);
		set_value(state, effect->dst, source);
		break;
	case EFFECT_FIXED:
		set_value(state, effect->dst, (struct value){ VALUE_FIXED, 0 });
		break;
	case EFFECT_ALIGN:
		align_register(state, effect->dst);
		break;
	case EFFECT_LOAD:
		set_value(state, effect->dst,
			  effect->memory.index == GENERAL_NONE
				  ? load_slot(state, place)
				  : any_value);
		break;
	case EFFECT_STORE:
		if (is_place(place) && effect->memory.index == GENERAL_NONE)
			store_slot(state, place, source_value(state, effect));
		break;
	case EFFECT_PUSH:
		push_value(state, source_value(state, effect));
		break;
	case EFFECT_POP:
		set_value(state, effect->dst, pop_value(state));
		break;
	case EFFECT_LEAVE:
		leave_frame(state);
		break;
	case EFFECT_OTHER:
		break;
	}
}

static void forget_general(struct frame_state *state, uint32_t registers)
{
	for (unsigned int i = 0; i < GENERAL_COUNT; i++) {
		if (registers & GENERAL_BIT(i))
			state->general[i] = any_value;
	}
}

static void note_escape(const struct frame_state *state, uint32_t registers,
			struct frame_args *args)
{
	for (unsigned int i = 0; i < GENERAL_COUNT; i++) {
		if ((registers & GENERAL_BIT(i)) &&
		    is_args_address(state->general[i]))
			args->escape = true;
	}
}

void frame_state_step(struct frame_state *state, const struct effect *effect,
		      struct frame_args *args)
{
	const struct effect_memory *memory = &effect->memory;
	struct value place = memory_place(state, memory);

	if (memory->used && is_place(place)) {
		note_access(place, memory, args);
		if (memory->written)
			forget_slots(state, place, memory->size);
	}
	if (effect->opaque)
		args->escape = true;
	note_escape(state, effect->uses, args);
	state->vector_unread &= ~effect->reads.vector;
	state->vector_unread |= effect->writes.vector;
	state->vector_written |= effect->writes.vector;
	state->opmask_written |= effect->writes.opmask;
	if (effect->move == EFFECT_OTHER)
		forget_general(state, effect->writes.general);
	else
		move_value(state, effect, place);
}

void frame_state_call(struct frame_state *state,
		      const struct clobber_set *written, uint32_t results,
		      struct frame_args *args)
{
	/* psABI 3.2.3: what passes addresses on */
	static const uint32_t passing = GENERAL_BIT(RDI) | GENERAL_BIT(RSI) |
					GENERAL_BIT(RDX) | GENERAL_BIT(RCX) |
					GENERAL_BIT(R8) | GENERAL_BIT(R9);

	note_escape(state, passing, args);
	forget_below_stack_pointer(state);
	forget_general(state, written->general & GENERAL_CALLER_SAVED);
	state->vector_unread &= ~written->vector;
	state->vector_unread |= results;
	state->vector_written |= written->vector;
	state->opmask_written |= written->opmask;
}

/* --- Where ways meet ------------------------------------------------------ */

static bool join_general(struct frame_state *state,
			 const struct frame_state *other,
			 struct frame_args *args)
{
	bool changed = false;

	for (unsigned int i = 0; i < GENERAL_COUNT; i++) {
		struct value *value = &state->general[i];

		if (value_equal(*value, other->general[i]))
			continue;
		/* As in a loop over the arguments. */
		if (is_args_address(*value) ||
		    is_args_address(other->general[i]))
			args->escape = true;
		if (value->kind == VALUE_ANY)
			continue;
		*value = any_value;
		changed = true;
	}
	return changed;
}

static bool join_slots(struct frame_state *state,
		       const struct frame_state *other)
{
	bool changed = false;

	for (unsigned int i = state->slot_count; i-- > 0;) {
		const struct frame_slot *slot = &state->slots[i];

		if (value_equal(load_slot(other, slot->place), slot->content))
			continue;
		drop_slot(state, i);
		changed = true;
	}
	return changed;
}

static bool join_bits(uint32_t *bits, uint32_t other)
{
	uint32_t before = *bits;

	*bits |= other;
	return *bits != before;
}

bool frame_state_join(struct frame_state *state,
		      const struct frame_state *other, struct frame_args *args)
{
	bool changed = join_general(state, other, args);

	changed |= join_slots(state, other);
	changed |= join_bits(&state->vector_written, other->vector_written);
	changed |= join_bits(&state->opmask_written, other->opmask_written);
	changed |= join_bits(&state->vector_unread, other->vector_unread);
	return changed;
}

void frame_state_written(const struct frame_state *state,
			 struct clobber_set *ret_written)
{
	uint32_t general = 0;

	for (int32_t i = 0; i < GENERAL_COUNT; i++) {
		struct value entry = { VALUE_ENTRY, i };

		if (!value_equal(state->general[i], entry))
			general |= GENERAL_BIT(i);
	}
	*ret_written = (struct clobber_set){
		.general = general & GENERAL_CALLER_SAVED,
		.vector = state->vector_written,
		.opmask = state->opmask_written,
	};
}
