/* SPDX-License-Identifier: MIT */
/*
 * Where something is not certain the answer is the one that makes a shield
 * keep more: that costs time, the other way round costs the caller's values.
 * Only results must not be kept.
 */
#include "walk.h"

#include <stdlib.h>

static void mark_unknown(struct walk *walk, const char *reason)
{
	if (walk->clobber.known)
		walk->clobber.reason = reason;
	walk->clobber.known = false;
}

static void mark_incomplete(struct walk *walk, const char *reason)
{
	if (walk->clobber.known && walk->clobber.complete)
		walk->clobber.reason = reason;
	walk->clobber.complete = false;
}

/* --- Nodes ----------------------------------------------------------------- */

static struct walk_node *find_node(struct walk *walk, upatch_addr_t addr)
{
	uint32_t number = addr_table_find(&walk->table, addr);

	return number ? &walk->nodes[number - 1] : NULL;
}

static void enqueue(struct walk *walk, struct walk_node *node)
{
	if (node->queued)
		return;
	node->queued = true;
	walk->queue[walk->queued++] = (uint32_t)(node - walk->nodes);
}

static struct walk_node *add_node(struct walk *walk, upatch_addr_t addr,
				  const struct frame_state *state)
{
	struct walk_node *node;

	if (*walk->budget == 0) {
		mark_incomplete(walk, "too much code to follow");
		return NULL;
	}
	if (!addr_table_add(&walk->table, addr, walk->count + 1)) {
		mark_incomplete(walk, "out of memory");
		return NULL;
	}
	(*walk->budget)--;
	node = &walk->nodes[walk->count++];
	/* walk_function has seen to it that there are nodes. */
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	*node = (struct walk_node){ .addr = addr, .state = *state };
	enqueue(walk, node);
	return node;
}

/* Execution can come to `addr` with `state`. */
static void reach(struct walk *walk, upatch_addr_t addr,
		  const struct frame_state *state)
{
	uint32_t number = addr_table_find(&walk->table, addr);
	struct walk_node *node;

	if (number == 0) {
		add_node(walk, addr, state);
		return;
	}
	node = &walk->nodes[number - 1];
	if (frame_state_join(&node->state, state, &walk->args))
		enqueue(walk, node);
}

/* --- Where execution goes -------------------------------------------------- */

static bool is_at_entry(const struct frame_state *state)
{
	const struct value *sp = &state->general[RSP];

	return sp->kind == VALUE_STACK && sp->offset == 0;
}

/* A jump to somebody who gets this function's arguments and its return. */
static void leave_for_unknown(struct walk *walk, const char *reason)
{
	mark_unknown(walk, reason);
	walk->args.escape = true;
}

/*
 * A tail call goes on as if the other function were a part of this one, which
 * is also how a jump to a cold part is right.
 */
static void jump(struct walk *walk, upatch_addr_t target,
		 const struct frame_state *state)
{
	if (code_reader_go(walk->reader, target))
		reach(walk, target, state);
	else
		leave_for_unknown(walk, "jumps to another object");
}

static void fall_through(struct walk *walk, const struct effect *effect,
			 const struct frame_state *state)
{
	upatch_addr_t next = effect->insn.addr + effect->insn.len;

	code_reader_go(walk->reader, effect->insn.addr);
	if (code_reader_is_here(walk->reader, next))
		reach(walk, next, state);
	else if (!insn_is_call(&effect->insn))
		mark_incomplete(walk, "runs over its end");
}

/* --- Calls ----------------------------------------------------------------- */

static void call(struct walk *walk, upatch_addr_t target,
		 struct frame_state *state)
{
	const struct clobber_set *written = &clobber_all;
	const struct clobber *callee;
	uint32_t results = 0;

	if (!code_reader_go(walk->reader, target)) {
		mark_unknown(walk, "calls another object");
	} else if (!(callee = walk->callee(walk->user, target))) {
		mark_incomplete(walk, "calls too many functions");
		written = &clobber_results;
	} else if (!callee->known) {
		mark_unknown(walk, callee->reason);
	} else {
		written = &callee->written;
		results = callee->results.vector;
	}
	frame_state_call(state, written, results, &walk->args);
}

/*
 * A call of code that first of all forgets where to return is a jump.  So do
 * the returns of -mfunction-return=thunk and thunk-inline, against
 * speculation: a leaf that ends in one is a leaf for GCC.
 */
static bool drops_return(struct walk *walk, upatch_addr_t target,
			 upatch_addr_t *ret_next)
{
	struct effect effect;

	if (!code_reader_decode(walk->reader, target, &effect) ||
	    effect.move != EFFECT_ADD || effect.dst != RSP ||
	    effect.src != RSP || effect.offset != 8)
		return false;
	*ret_next = target + effect.insn.len;
	return true;
}

/*
 * `lea x@tlsdesc(%rip), %rax; call *(%rax)` changes rax alone, and GCC counts
 * on it: "A Generic ABI for TLS descriptors", -mtls-dialect=gnu2.
 */
static bool is_tls_call(const struct effect *effect,
			const struct frame_state *state)
{
	const struct effect_memory *memory = &effect->memory;

	return memory->used && memory->base == RAX &&
	       memory->index == GENERAL_NONE && memory->disp == 0 &&
	       state->general[RAX].kind == VALUE_FIXED;
}

static void call_indirect(struct walk *walk, const struct effect *effect,
			  struct frame_state *state)
{
	static const struct clobber_set rax = { .general = GENERAL_BIT(RAX) };
	const struct clobber_set *written = &clobber_all;

	if (is_tls_call(effect, state))
		written = &rax;
	else
		mark_unknown(walk, "makes an indirect call");
	frame_state_call(state, written, 0, &walk->args);
}

/*
 * Either a tail call through a pointer or a `switch`, which GCC sees through.
 * A table of jumps is indexed by the instruction or before it.
 */
static void jump_indirect(struct walk *walk, struct walk_node *node,
			  const struct effect *effect,
			  const struct frame_state *state)
{
	const struct effect_memory *memory = &effect->memory;

	if (is_at_entry(state) && memory->used &&
	    memory->index == GENERAL_NONE) {
		leave_for_unknown(walk, "jumps through a pointer");
		return;
	}
	node->is_switch = true;
	walk->has_switch = true;
}

static void finish(struct walk *walk, const struct frame_state *state)
{
	const struct value *sp = &state->general[RSP];
	struct clobber *clobber = &walk->clobber;
	struct clobber_set written;

	/* As in a thunk for indirect jumps: the address was pushed. */
	if (sp->kind == VALUE_STACK && sp->offset != 0)
		leave_for_unknown(walk, "returns to an address it computes");
	frame_state_written(state, &written);
	clobber_set_add(&clobber->written, &written);
	clobber->results.vector |=
		state->vector_unread & clobber_results.vector;
}

/* --- One function ---------------------------------------------------------- */

static void touch(struct walk *walk, const struct effect *effect)
{
	struct clobber_set *touched = &walk->clobber.touched;

	clobber_set_add(touched, &effect->writes);
	if (effect->zeroes_upper)
		touched->vector |= VECTOR_LEGACY;
	if (effect->opaque)
		mark_incomplete(walk, "an instruction is not known");
}

static void step(struct walk *walk, struct walk_node *node,
		 const struct effect *effect)
{
	struct frame_state state = node->state;
	const struct insn *insn = &effect->insn;
	upatch_addr_t next;

	touch(walk, effect);
	if (insn->kind != INSN_CALL && insn->kind != INSN_CALL_INDIRECT &&
	    insn->kind != INSN_RETURN)
		frame_state_step(&state, effect, &walk->args);
	switch (insn->kind) {
	case INSN_JUMP:
		jump(walk, insn->target, &state);
		return;
	case INSN_CONDITIONAL:
	case INSN_COUNTED:
	case INSN_TRANSACTION:
		jump(walk, insn->target, &state);
		break;
	case INSN_CALL:
		if (drops_return(walk, insn->target, &next)) {
			jump(walk, next, &state);
			return;
		}
		call(walk, insn->target, &state);
		break;
	case INSN_CALL_INDIRECT:
		call_indirect(walk, effect, &state);
		break;
	case INSN_JUMP_INDIRECT:
		jump_indirect(walk, node, effect, &state);
		return;
	case INSN_RETURN:
		finish(walk, &state);
		return;
	case INSN_FAR:
		leave_for_unknown(walk, "makes a far jump");
		return;
	case INSN_PLAIN:
	case INSN_SYSTEM_CALL:
	case INSN_BREAKPOINT:
		break;
	}
	if (!effect->stops)
		fall_through(walk, effect, &state);
}

static void walk_queue(struct walk *walk)
{
	while (walk->queued > 0) {
		struct walk_node *node =
			&walk->nodes[walk->queue[--walk->queued]];
		struct effect effect;

		node->queued = false;
		if (code_reader_decode(walk->reader, node->addr, &effect)) {
			node->len = effect.insn.len;
			step(walk, node, &effect);
		} else {
			node->len = 1;
			mark_incomplete(walk, "bytes that are no instruction");
		}
	}
}

/*
 * The targets of a switch: code in the same range that nothing else leads to.
 * Returns how many there are; each gets `state`.
 */
static unsigned int reach_rest(struct walk *walk,
			       const struct frame_state *state)
{
	upatch_addr_t addr = walk->reader->start;
	upatch_addr_t end = addr + walk->reader->len;
	unsigned int count = 0;

	while (addr < end) {
		struct walk_node *node = find_node(walk, addr);
		struct effect effect;

		if (!node && !code_reader_decode(walk->reader, addr, &effect)) {
			mark_incomplete(walk, "bytes that are no instruction");
			break;
		}
		if (!node && effect.is_padding) {
			addr += effect.insn.len;
			continue;
		}
		if (!node) {
			node = add_node(walk, addr, state);
			if (!node)
				break;
			node->is_jumped_to = true;
			walk_queue(walk);
		} else if (node->is_jumped_to) {
			reach(walk, addr, state);
		}
		count += node->is_jumped_to;
		addr += node->len;
	}
	return count;
}

/* Several switches share what is certain at all of them. */
static bool join_switches(struct walk *walk, struct frame_state *ret_state)
{
	bool found = false;

	for (uint32_t i = 0; i < walk->count; i++) {
		if (!walk->nodes[i].is_switch)
			continue;
		if (found)
			frame_state_join(ret_state, &walk->nodes[i].state,
					 &walk->args);
		else
			*ret_state = walk->nodes[i].state;
		found = true;
	}
	return found;
}

static void follow_switches(struct walk *walk)
{
	struct frame_state state;

	if (!join_switches(walk, &state))
		return;
	for (uint32_t i = 0; i < walk->count; i++) {
		const struct walk_node *node = &walk->nodes[i];

		if (!node->is_switch ||
		    !code_reader_go(walk->reader, node->addr))
			continue;
		if (reach_rest(walk, &state) == 0 && is_at_entry(&node->state))
			leave_for_unknown(walk, "jumps through a pointer");
	}
}

static void walk_ways(struct walk *walk, upatch_addr_t addr)
{
	struct frame_state entry;
	uint32_t before;

	frame_state_init(&entry);
	reach(walk, addr, &entry);
	walk_queue(walk);
	while (walk->has_switch) {
		before = walk->count;
		follow_switches(walk);
		if (walk->count == before && walk->queued == 0)
			break;
		walk_queue(walk);
	}
}

static void conclude(struct walk *walk)
{
	struct clobber *clobber = &walk->clobber;

	if (walk->args.return_changed)
		mark_unknown(walk, "changes its return address");
	if (!clobber->complete)
		clobber_set_add(&clobber->written, &clobber_results);
	clobber->stack_args_known = clobber->complete && !walk->args.escape;
	clobber->stack_arg_bytes = (walk->args.bytes + 7) & ~7u;
}

void walk_function(struct walk *walk, upatch_addr_t addr)
{
	static const size_t max = WALK_INSTRUCTIONS_MAX;

	walk->clobber = (struct clobber){ .known = true, .complete = true };
	walk->nodes = malloc(max * sizeof(*walk->nodes));
	walk->queue = malloc(max * sizeof(*walk->queue));
	if (walk->nodes && walk->queue)
		walk_ways(walk, addr);
	else
		mark_incomplete(walk, "out of memory");
	conclude(walk);
}

void walk_fini(struct walk *walk)
{
	addr_table_fini(&walk->table);
	free(walk->nodes);
	free(walk->queue);
}
