/* SPDX-License-Identifier: MIT */
/*
 * Follows a function along every way through it, and the functions that it
 * calls.  Where something is not certain the answer is the one that makes a
 * shield keep more: that costs time, the other way round costs the caller's
 * values.  Only results must not be kept.
 */
#include "../clobber.h"

#include <stdlib.h>
#include <string.h>

#include "frame_state.h"

#define FUNCTIONS_MAX	 64
#define INSTRUCTIONS_MAX 16384

/* psABI 3.2.3: where results are returned. */
static const struct clobber_set result_registers = {
	.general = GENERAL_BIT(RAX) | GENERAL_BIT(RDX),
	.vector = 3,
};
static const struct clobber_set all_registers = {
	.general = GENERAL_CALLER_SAVED,
	.vector = VECTOR_ALL,
	.opmask = OPMASK_ALL,
};

/* The function whose code is walked and those that it calls. */
struct analysis {
	const struct code_source *source;
	struct insn_decoder decoder;
	struct {
		upatch_addr_t addr;
		struct clobber clobber; /* as far as is known by now */
	} functions[FUNCTIONS_MAX];
	unsigned int count;
	unsigned int instructions; /* seen in this round */
};

struct range {
	upatch_addr_t start;
	const uint8_t *code;
	size_t len;
};

/* An instruction of the function, and what is certain before it. */
struct node {
	upatch_addr_t addr;
	struct frame_state state;
	uint8_t len; /* 0: not yet decoded */
	bool queued;
	bool is_switch;	   /* jumps to an address that it computes */
	bool is_jumped_to; /* no other way leads there than a switch */
};

/* One function on the way through it; parts of it may lie elsewhere. */
struct walk {
	struct analysis *analysis;
	struct range range; /* of the last instruction */
	struct node *nodes;
	uint32_t *table; /* by hash of the address: index of the node, plus 1 */
	uint32_t *queue; /* last in, first out; holds a node at most once */
	uint32_t count, queued;
	bool has_switch;
	struct frame_args args;
	struct clobber clobber;
};

#define TABLE_SIZE (2 * INSTRUCTIONS_MAX)

static void set_add(struct clobber_set *set, const struct clobber_set *other)
{
	set->general |= other->general;
	set->vector |= other->vector;
	set->opmask |= other->opmask;
}

static bool set_equal(const struct clobber_set *a, const struct clobber_set *b)
{
	return a->general == b->general && a->vector == b->vector &&
	       a->opmask == b->opmask;
}

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

static uint32_t *find_entry(struct walk *walk, upatch_addr_t addr)
{
	uint64_t hash = addr * 0x9e3779b97f4a7c15UL >> 32;

	for (;; hash++) {
		uint32_t *entry = &walk->table[hash % TABLE_SIZE];

		if (*entry == 0 || walk->nodes[*entry - 1].addr == addr)
			return entry;
	}
}

static struct node *find_node(struct walk *walk, upatch_addr_t addr)
{
	uint32_t entry = *find_entry(walk, addr);

	return entry ? &walk->nodes[entry - 1] : NULL;
}

static void enqueue(struct walk *walk, struct node *node)
{
	if (node->queued)
		return;
	node->queued = true;
	walk->queue[walk->queued++] = (uint32_t)(node - walk->nodes);
}

static struct node *add_node(struct walk *walk, upatch_addr_t addr,
			     const struct frame_state *state)
{
	struct node *node;

	if (walk->analysis->instructions == INSTRUCTIONS_MAX) {
		mark_incomplete(walk, "too much code to follow");
		return NULL;
	}
	walk->analysis->instructions++;
	node = &walk->nodes[walk->count++];
	*node = (struct node){ .addr = addr, .state = *state };
	*find_entry(walk, addr) = walk->count;
	enqueue(walk, node);
	return node;
}

/* Execution can come to `addr` with `state`. */
static void reach(struct walk *walk, upatch_addr_t addr,
		  const struct frame_state *state)
{
	struct node *node = find_node(walk, addr);

	if (!node)
		add_node(walk, addr, state);
	else if (frame_state_join(&node->state, state, &walk->args))
		enqueue(walk, node);
}

/* --- Where execution goes -------------------------------------------------- */

static bool range_has(const struct range *range, upatch_addr_t addr)
{
	return addr - range->start < range->len;
}

static bool find_range(struct walk *walk, upatch_addr_t addr)
{
	const struct code_source *source = walk->analysis->source;
	struct range range;

	if (range_has(&walk->range, addr))
		return true;
	if (!source->find(source->user, addr, &range.start, &range.code,
			  &range.len) ||
	    !range_has(&range, addr))
		return false;
	walk->range = range;
	return true;
}

static bool decode(struct walk *walk, upatch_addr_t addr,
		   struct effect *ret_effect)
{
	const struct range *range = &walk->range;
	size_t offset;

	if (!find_range(walk, addr))
		return false;
	offset = addr - range->start;
	return effect_decode(&walk->analysis->decoder, range->code + offset,
			     range->len - offset, addr, ret_effect);
}

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
	struct range here = walk->range;

	if (find_range(walk, target))
		reach(walk, target, state);
	else
		leave_for_unknown(walk, "jumps to another object");
	walk->range = here;
}

static void fall_through(struct walk *walk, const struct effect *effect,
			 const struct frame_state *state)
{
	upatch_addr_t next = effect->insn.addr + effect->insn.len;

	if (range_has(&walk->range, next))
		reach(walk, next, state);
	else if (!insn_is_call(&effect->insn))
		mark_incomplete(walk, "runs over its end");
}

/* --- Calls ----------------------------------------------------------------- */

static const struct clobber *find_callee(struct analysis *analysis,
					 upatch_addr_t addr)
{
	unsigned int i;

	for (i = 0; i < analysis->count; i++) {
		if (analysis->functions[i].addr == addr)
			return &analysis->functions[i].clobber;
	}
	if (i == FUNCTIONS_MAX)
		return NULL;
	analysis->functions[i].addr = addr;
	analysis->functions[i].clobber =
		(struct clobber){ .known = true, .complete = true };
	analysis->count++;
	return &analysis->functions[i].clobber;
}

static void call(struct walk *walk, upatch_addr_t target,
		 struct frame_state *state)
{
	const struct clobber_set *written = &all_registers;
	struct range here = walk->range;
	const struct clobber *callee;
	uint32_t results = 0;

	if (!find_range(walk, target)) {
		mark_unknown(walk, "calls another object");
	} else if (!(callee = find_callee(walk->analysis, target))) {
		mark_incomplete(walk, "calls too many functions");
		written = &result_registers;
	} else {
		written = &callee->written;
		results = callee->results.vector;
	}
	walk->range = here;
	frame_state_call(state, written, results, &walk->args);
}

/*
 * `lea x@tlsdesc(%rip), %rax; call *(%rax)` changes rax alone, and GCC counts
 * on it: "A Generic ABI for TLS descriptors", -mtls-dialect=gnu2.
 */
static bool is_tls_descriptor_call(const struct effect *effect,
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
	const struct clobber_set *written = &all_registers;

	if (is_tls_descriptor_call(effect, state))
		written = &rax;
	else
		mark_unknown(walk, "makes an indirect call");
	frame_state_call(state, written, 0, &walk->args);
}

/*
 * Either a tail call through a pointer or a `switch`, which GCC sees through.
 * A table of jumps is indexed by the instruction or before it.
 */
static void jump_indirect(struct walk *walk, struct node *node,
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
	set_add(&clobber->written, &written);
	clobber->results.vector |=
		state->vector_unread & result_registers.vector;
}

/* --- One function ---------------------------------------------------------- */

static void touch(struct walk *walk, const struct effect *effect)
{
	struct clobber_set *touched = &walk->clobber.touched;

	set_add(touched, &effect->writes);
	if (effect->zeroes_upper)
		touched->vector |= VECTOR_LEGACY;
	if (effect->opaque)
		mark_incomplete(walk, "an instruction is not known");
}

static void step(struct walk *walk, struct node *node,
		 const struct effect *effect)
{
	struct frame_state state = node->state;
	const struct insn *insn = &effect->insn;

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
		struct node *node = &walk->nodes[walk->queue[--walk->queued]];
		struct effect effect;

		node->queued = false;
		if (decode(walk, node->addr, &effect)) {
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
	struct range range = walk->range;
	upatch_addr_t addr = range.start;
	unsigned int count = 0;

	while (range_has(&range, addr)) {
		struct node *node = find_node(walk, addr);
		struct effect effect;

		if (!node && !decode(walk, addr, &effect)) {
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
			walk->range = range;
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
		const struct node *node = &walk->nodes[i];

		if (!node->is_switch || !find_range(walk, node->addr))
			continue;
		if (reach_rest(walk, &state) == 0 && is_at_entry(&node->state))
			leave_for_unknown(walk, "jumps through a pointer");
	}
}

static void walk_function(struct walk *walk, upatch_addr_t addr)
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
		set_add(&clobber->written, &result_registers);
	clobber->stack_args_known = clobber->complete && !walk->args.escape;
	clobber->stack_arg_bytes = (walk->args.bytes + 7) & ~7u;
}

static void analyze_function(struct analysis *analysis, upatch_addr_t addr,
			     struct clobber *ret_clobber)
{
	struct walk walk = {
		.analysis = analysis,
		.clobber = { .known = true, .complete = true },
	};

	walk.nodes = malloc(INSTRUCTIONS_MAX * sizeof(*walk.nodes));
	walk.table = calloc(TABLE_SIZE, sizeof(*walk.table));
	walk.queue = malloc(INSTRUCTIONS_MAX * sizeof(*walk.queue));
	if (walk.nodes && walk.table && walk.queue)
		walk_function(&walk, addr);
	else
		mark_incomplete(&walk, "out of memory");
	conclude(&walk);
	free(walk.nodes);
	free(walk.table);
	free(walk.queue);
	*ret_clobber = walk.clobber;
}

/* --- All functions --------------------------------------------------------- */

static bool has_grown(const struct clobber *before, const struct clobber *now)
{
	return !set_equal(&before->written, &now->written) ||
	       !set_equal(&before->results, &now->results) ||
	       before->known != now->known || before->complete != now->complete;
}

/*
 * Functions that call each other in a circle: each round assumes what the one
 * before found, starting from nothing, until a round finds nothing new.
 */
static void analyze_all(struct analysis *analysis)
{
	bool changed = true;

	while (changed && analysis->functions[0].clobber.known) {
		analysis->instructions = 0;
		changed = false;
		for (unsigned int i = 0; i < analysis->count; i++) {
			struct clobber *known = &analysis->functions[i].clobber;
			struct clobber now;

			analyze_function(analysis, analysis->functions[i].addr,
					 &now);
			changed |= has_grown(known, &now);
			*known = now;
			if (!now.known)
				return;
		}
	}
}

/* What is not known of a callee is not known of its caller. */
static void combine(const struct analysis *analysis,
		    struct clobber *ret_clobber)
{
	struct clobber clobber = analysis->functions[0].clobber;

	for (unsigned int i = 1; i < analysis->count; i++) {
		const struct clobber *callee = &analysis->functions[i].clobber;

		set_add(&clobber.touched, &callee->touched);
		if (clobber.known && !callee->known) {
			clobber.known = false;
			clobber.reason = callee->reason;
		} else if (clobber.complete && !callee->complete) {
			clobber.complete = false;
			set_add(&clobber.written, &result_registers);
			if (clobber.known)
				clobber.reason = callee->reason;
		}
	}
	*ret_clobber = clobber;
}

static const struct clobber failed_analysis = {
	.known = true,
	.reason = "out of memory",
	.written = { .general = GENERAL_BIT(RAX) | GENERAL_BIT(RDX),
		     .vector = 3 },
};

void clobber_analyze(const struct code_source *source, upatch_addr_t addr,
		     struct clobber *ret_clobber)
{
	struct analysis *analysis = calloc(1, sizeof(*analysis));

	*ret_clobber = failed_analysis;
	if (!analysis)
		return;
	analysis->source = source;
	if (insn_decoder_init(&analysis->decoder, NULL) == 0) {
		find_callee(analysis, addr);
		analyze_all(analysis);
		combine(analysis, ret_clobber);
		insn_decoder_fini(&analysis->decoder);
	}
	free(analysis);
}

bool clobber_needs_shield(const struct clobber *old_function)
{
	return old_function->known;
}

void clobber_find_kept(const struct clobber *old_function,
		       const struct clobber *new_function,
		       struct clobber_set *ret_kept)
{
	const struct clobber_set *written = &old_function->written;
	struct clobber_set kept = {
		.general = all_registers.general & ~written->general,
		.vector = all_registers.vector & ~written->vector,
		.opmask = all_registers.opmask & ~written->opmask,
	};

	if (new_function->known && new_function->complete) {
		kept.general &= new_function->touched.general;
		kept.vector &= new_function->touched.vector;
		kept.opmask &= new_function->touched.opmask;
	}
	/*
	 * An old function that returns its argument as it is does not write
	 * the register, yet callers take the result from there.
	 */
	kept.vector &= ~new_function->results.vector;
	*ret_kept = kept;
}
