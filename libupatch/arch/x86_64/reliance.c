/* SPDX-License-Identifier: MIT */
/*
 * What callers of a function rely on: whatever of the registers that it does
 * not write has been given a value before a call and is read after it.  Most
 * callers, in other files above all, rely on nothing.
 */
#include "../clobber.h"

#include <stdlib.h>
#include <string.h>

#include "walk.h"

#define TARGETS_MAX	 16
#define FUNCTIONS_MAX	 4096
#define INSTRUCTIONS_MAX 65536
#define WALKED_MAX	 (32 * WALK_INSTRUCTIONS_MAX)

/* An instruction after the call, and what is still as it was before. */
struct point {
	upatch_addr_t addr;
	struct clobber_set live;
	bool queued;
	/* in a function that the caller calls; it has nobody to return to */
	bool is_callee;
};

struct search {
	const struct code_source *source;
	struct code_reader reader;
	/* of registers that are none of these nobody can expect anything */
	struct clobber_set unwritten;
	/* functions whose callers count: the one asked for is the first */
	upatch_addr_t targets[TARGETS_MAX];
	unsigned int target_count;
	/* what is known of functions, each looked at once */
	struct clobber *functions;
	struct addr_table function_table;
	uint32_t function_count;
	/* the function around the call that is looked at */
	upatch_addr_t caller;
	bool caller_is_known;
	struct walk walk;
	uint32_t walk_budget;
	/* what is reached after the call */
	struct point *points;
	uint32_t *queue;
	struct addr_table table;
	uint32_t point_count, queued;
	/* the answer */
	struct clobber_set relied;
	uint8_t vector_width;
	bool may_be_misaligned;
	bool lost; /* too much to look at: everything is relied on */
};

/* psABI 3.2.3: what passes arguments, al and the static chain included. */
static const struct clobber_set argument_registers = {
	.general = GENERAL_BIT(RAX) | GENERAL_BIT(RCX) | GENERAL_BIT(RDX) |
		   GENERAL_BIT(RSI) | GENERAL_BIT(RDI) | GENERAL_BIT(R8) |
		   GENERAL_BIT(R9) | GENERAL_BIT(R10),
	.vector = 0xff,
};

static void widen(struct search *search, uint8_t width)
{
	if (width > search->vector_width)
		search->vector_width = width;
}

/* Registers that are in use, as far as is known in their first `width` bytes. */
static void rely(struct search *search, const struct clobber_set *registers,
		 uint8_t width)
{
	clobber_set_add(&search->relied, registers);
	if (registers->opmask || (registers->vector & ~VECTOR_LEGACY))
		width = 64;
	if (registers->vector)
		widen(search, width);
}

/* --- Functions ------------------------------------------------------------- */

static const struct clobber *find_function(void *user, upatch_addr_t addr)
{
	struct search *search = user;
	uint32_t *number = addr_table_at(&search->function_table, addr);

	if (*number == 0) {
		if (search->function_count == FUNCTIONS_MAX)
			return NULL;
		*number = ++search->function_count;
		clobber_analyze(search->source, addr,
				&search->functions[*number - 1]);
	}
	return &search->functions[*number - 1];
}

/* Its callers see it leave alone what it and the first target leave alone. */
static void add_target(struct search *search, upatch_addr_t addr)
{
	for (unsigned int i = 0; i < search->target_count; i++) {
		if (search->targets[i] == addr)
			return;
	}
	if (search->target_count == TARGETS_MAX)
		search->lost = true;
	else
		search->targets[search->target_count++] = addr;
}

/* --- After the call ---------------------------------------------------------- */

static void reach(struct search *search, upatch_addr_t addr,
		  const struct clobber_set *live, bool is_callee)
{
	/* Instructions are longer than nothing: the numbers do not meet. */
	uint32_t *number = addr_table_at(&search->table, addr * 2 + is_callee);
	struct point *point;

	if (clobber_set_is_empty(live))
		return;
	if (*number == 0) {
		if (search->point_count == INSTRUCTIONS_MAX) {
			search->lost = true;
			return;
		}
		point = &search->points[search->point_count++];
		*number = search->point_count;
		*point = (struct point){ .addr = addr, .is_callee = is_callee };
	} else {
		point = &search->points[*number - 1];
	}
	if (clobber_set_add(&point->live, live) && !point->queued) {
		point->queued = true;
		search->queue[search->queued++] =
			(uint32_t)(point - search->points);
	}
}

/*
 * The compiler has seen nothing of the other function.  A whole vector
 * register may be an argument, and is taken for one if the caller uses any.
 */
static void call_unknown(struct search *search, struct clobber_set *live)
{
	struct clobber_set args = clobber_set_and(live, &argument_registers);

	rely(search, &args, search->walk.vector_width);
	*live = (struct clobber_set){ 0 };
}

static void jump(struct search *search, upatch_addr_t target,
		 const struct clobber_set *live, bool is_callee)
{
	struct clobber_set left = *live;

	if (code_reader_go(&search->reader, target))
		reach(search, target, live, is_callee);
	else
		call_unknown(search, &left);
}

/* What the other function gets; what is left after it. */
static void call(struct search *search, const struct effect *effect,
		 struct clobber_set *live)
{
	struct clobber_set args = clobber_set_and(live, &argument_registers);
	const struct clobber *callee;

	if (!code_reader_go(&search->reader, effect->insn.target)) {
		call_unknown(search, live);
		return;
	}
	reach(search, effect->insn.target, &args, true);
	callee = find_function(search, effect->insn.target);
	if (callee)
		*live = clobber_set_without(live, callee->known
							  ? &callee->written
							  : &clobber_all);
}

static void call_indirect(struct search *search, const struct point *point,
			  const struct effect *effect, struct clobber_set *live)
{
	static const struct clobber_set rax = { .general = GENERAL_BIT(RAX) };
	const struct walk_node *node = walk_find(&search->walk, point->addr);

	if (walk_is_tls_call(effect, node ? &node->state : NULL))
		*live = clobber_set_without(live, &rax);
	else
		call_unknown(search, live);
}

/* A switch leads to what nothing else leads to, which the walk has found. */
static void jump_indirect(struct search *search, const struct point *point,
			  const struct clobber_set *live)
{
	struct clobber_set left = *live;
	bool found = false;

	for (uint32_t i = 0; i < search->walk.count; i++) {
		const struct walk_node *node = &search->walk.nodes[i];

		if (point->is_callee || !node->is_jumped_to)
			continue;
		reach(search, node->addr, live, false);
		found = true;
	}
	/* A tail call; or in a callee, of which only arguments are asked. */
	if (!found)
		call_unknown(search, &left);
}

static void finish(struct search *search, const struct point *point,
		   const struct clobber_set *live)
{
	struct clobber_set results = clobber_set_and(live, &clobber_results);

	if (point->is_callee)
		return;
	rely(search, &results, search->walk.vector_width);
	if (search->caller_is_known)
		add_target(search, search->caller);
}

static void step(struct search *search, const struct point *point,
		 const struct effect *effect)
{
	const struct insn *insn = &effect->insn;
	struct clobber_set live = point->live;
	struct clobber_set read = clobber_set_and(&live, &effect->reads);

	rely(search, &read, effect->vector_width);
	live = clobber_set_without(&live, &effect->replaces);
	switch (insn->kind) {
	case INSN_JUMP:
		jump(search, insn->target, &live, point->is_callee);
		return;
	case INSN_CONDITIONAL:
	case INSN_COUNTED:
	case INSN_TRANSACTION:
		jump(search, insn->target, &live, point->is_callee);
		break;
	case INSN_CALL:
		call(search, effect, &live);
		break;
	case INSN_CALL_INDIRECT:
		call_indirect(search, point, effect, &live);
		break;
	case INSN_JUMP_INDIRECT:
		jump_indirect(search, point, &live);
		return;
	case INSN_RETURN:
		finish(search, point, &live);
		return;
	case INSN_FAR:
		rely(search, &live, 64);
		return;
	case INSN_SYSTEM_CALL:
		read = clobber_set_and(&live, &argument_registers);
		rely(search, &read, 16);
		break;
	case INSN_PLAIN:
	case INSN_BREAKPOINT:
		break;
	}
	if (!effect->stops)
		reach(search, insn->addr + insn->len, &live, point->is_callee);
}

static void forget_points(struct search *search)
{
	/* Last in, first out, so that no search ends at a gap. */
	while (search->point_count > 0) {
		struct point *point = &search->points[--search->point_count];

		*addr_table_at(&search->table,
			       point->addr * 2 + point->is_callee) = 0;
	}
	search->queued = 0;
}

static void follow(struct search *search, upatch_addr_t addr,
		   const struct clobber_set *live)
{
	struct effect effect;

	forget_points(search);
	reach(search, addr, live, false);
	while (search->queued > 0 && !search->lost) {
		struct point *point =
			&search->points[search->queue[--search->queued]];

		point->queued = false;
		if (code_reader_decode(&search->reader, point->addr, &effect) &&
		    !effect.opaque)
			step(search, point, &effect);
		else
			rely(search, &point->live, 64);
	}
}

/* --- The call ------------------------------------------------------------------ */

/*
 * Compared with calls of unknown functions in the same caller, for which the
 * compiler has aligned the stack: so it does not matter how the caller itself
 * was called, nor that it may be the cold part of a function.
 */
static bool is_aligned(const struct search *search,
		       const struct walk_node *node)
{
	struct value aligned = search->walk.aligned_sp, sp;

	if (!node || search->caller_is_known || aligned.kind == VALUE_ANY)
		return false;
	sp = node->state.general[RSP];
	return sp.kind == aligned.kind && sp.kind != VALUE_ANY &&
	       (sp.offset - aligned.offset) % 16 == 0;
}

static void look_at_call(struct search *search, const struct effect *effect)
{
	const struct insn *insn = &effect->insn;
	const struct walk_node *node = walk_find(&search->walk, insn->addr);
	struct clobber_set live = search->unwritten;

	if (node)
		live = clobber_set_and(&live, &node->state.defined);
	if (insn->kind == INSN_CALL) {
		if (!is_aligned(search, node))
			search->may_be_misaligned = true;
		follow(search, insn->addr + insn->len, &live);
	} else if (search->caller_is_known) {
		/* It leaves alone what the function that it jumps to does. */
		search->may_be_misaligned = true;
		add_target(search, search->caller);
	}
}

static void drop_caller(struct search *search)
{
	if (search->caller)
		walk_fini(&search->walk);
	search->caller = 0;
}

static void enter_caller(struct search *search, upatch_addr_t start)
{
	const struct clobber *clobber;

	if (search->caller == start)
		return;
	drop_caller(search);
	search->walk = (struct walk){
		.reader = &search->reader,
		.callee = find_function,
		.user = search,
		.budget = &search->walk_budget,
	};
	clobber = find_function(search, start);
	search->caller_is_known = !clobber || clobber->known;
	walk_function(&search->walk, start);
	search->caller = start;
	if (search->walk_budget == 0)
		search->lost = true;
}

/* Not reached, as code for exceptions: does an instruction begin there? */
static bool is_boundary(struct search *search, upatch_addr_t addr)
{
	upatch_addr_t at = search->caller;
	struct effect effect;

	while (at < addr && code_reader_decode(&search->reader, at, &effect))
		at += effect.insn.len;
	return at == addr;
}

/* Bytes at `addr` look as if they led to `target`. */
static void look_at(struct search *search, upatch_addr_t addr,
		    upatch_addr_t target)
{
	struct effect effect;

	if (!walk_find(&search->walk, addr) && !is_boundary(search, addr))
		return;
	if (code_reader_decode(&search->reader, addr, &effect) &&
	    insn_has_target(&effect.insn) && effect.insn.target == target)
		look_at_call(search, &effect);
}

/* As in `bnd call`, `addr32 call` and `cs jmp`. */
static bool is_prefix(uint8_t byte)
{
	return byte == 0x66 || byte == 0x67 || byte == 0xf2 || byte == 0x2e ||
	       byte == 0x3e || byte == 0x48;
}

/* The opcode of a branch may be at `addr`. */
static void look_around(struct search *search, upatch_addr_t addr,
			upatch_addr_t target)
{
	const struct code_reader *reader = &search->reader;

	if (!code_reader_go(&search->reader, addr)) {
		search->lost = true;
		return;
	}
	enter_caller(search, reader->start);
	look_at(search, addr, target);
	while (code_reader_go(&search->reader, addr) && addr > reader->start &&
	       is_prefix(reader->code[addr - 1 - reader->start]))
		look_at(search, --addr, target);
}

/* --- All calls ------------------------------------------------------------------- */

/* The opcodes of call and jmp, and of jcc behind 0x0f; all end in a rel32. */
static bool is_branch_opcode(const uint8_t *code, size_t at)
{
	return code[at] == 0xe8 || code[at] == 0xe9 ||
	       (at > 0 && code[at - 1] == 0x0f && (code[at] & 0xf0) == 0x80);
}

static void look_for_far(struct search *search, upatch_addr_t start,
			 const uint8_t *code, size_t len, upatch_addr_t target)
{
	for (size_t at = 0; at + 5 <= len && !search->lost; at++) {
		int32_t distance;

		memcpy(&distance, code + at + 1, sizeof(distance));
		if (start + at + 5 + (uint64_t)distance == target &&
		    is_branch_opcode(code, at))
			look_around(search,
				    start + at - ((code[at] & 0xf0) == 0x80),
				    target);
	}
}

/* Jumps of two bytes: jmp and jcc, from 128 bytes around. */
static void look_for_near(struct search *search, upatch_addr_t start,
			  const uint8_t *code, size_t len, upatch_addr_t target)
{
	for (int distance = INT8_MIN; distance <= INT8_MAX; distance++) {
		upatch_addr_t addr = target - 2 - (uint64_t)distance;
		size_t at = addr - start;

		if (at >= len || at + 2 > len || search->lost)
			continue;
		if ((int8_t)code[at + 1] == distance &&
		    (code[at] == 0xeb || (code[at] & 0xf0) == 0x70))
			look_around(search, addr, target);
	}
}

static void look_for(struct search *search, upatch_addr_t target)
{
	const struct code_source *source = search->source;
	upatch_addr_t start;
	const uint8_t *code;
	size_t len;

	for (size_t n = 0; source->text(source->user, n, &start, &code, &len);
	     n++) {
		look_for_far(search, start, code, len, target);
		look_for_near(search, start, code, len, target);
	}
}

static bool search_init(struct search *search, const struct code_source *source,
			upatch_addr_t addr, const struct clobber *clobber)
{
	static const size_t max = INSTRUCTIONS_MAX;

	search->source = source;
	search->unwritten = clobber->relied;
	search->vector_width = 16;
	search->walk_budget = WALKED_MAX;
	add_target(search, addr);
	if (code_reader_init(&search->reader, source))
		return false;
	search->points = malloc(max * sizeof(*search->points));
	search->queue = malloc(max * sizeof(*search->queue));
	search->functions = calloc(FUNCTIONS_MAX, sizeof(*search->functions));
	return addr_table_init(&search->table, max) &&
	       addr_table_init(&search->function_table, FUNCTIONS_MAX) &&
	       search->points && search->queue && search->functions;
}

static void search_fini(struct search *search)
{
	drop_caller(search);
	if (search->reader.source)
		code_reader_fini(&search->reader);
	addr_table_fini(&search->table);
	addr_table_fini(&search->function_table);
	free(search->functions);
	free(search->points);
	free(search->queue);
}

void clobber_analyze_callers(const struct code_source *source,
			     upatch_addr_t addr, struct clobber *clobber)
{
	struct search *search;

	if (!clobber->known || !source->text)
		return;
	search = calloc(1, sizeof(*search));
	if (!search)
		return;
	if (search_init(search, source, addr, clobber)) {
		for (unsigned int i = 0; i < search->target_count; i++)
			look_for(search, search->targets[i]);
		if (!search->lost) {
			clobber->relied = search->relied;
			clobber->vector_width = search->vector_width;
			clobber->may_be_misaligned = search->may_be_misaligned;
		}
	}
	search_fini(search);
	free(search);
}
