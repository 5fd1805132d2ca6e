/* SPDX-License-Identifier: MIT */
/* Follows one function along every way through it. */
#ifndef UPATCH_X86_64_WALK_H
#define UPATCH_X86_64_WALK_H

#include "code_reader.h"
#include "frame_state.h"

#define WALK_INSTRUCTIONS_MAX 16384

/* An instruction of the function, and what is certain before it. */
struct walk_node {
	upatch_addr_t addr;
	struct frame_state state;
	uint8_t len; /* 0: not yet decoded */
	bool queued;
	bool is_switch;	   /* jumps to an address that it computes */
	bool is_jumped_to; /* no other way leads there than a switch */
};

/*
 * What a call of the function at `addr` does, as far as it is known by now.
 * NULL: too many functions.
 */
typedef const struct clobber *(*walk_callee)(void *user, upatch_addr_t addr);

struct walk {
	/* set by the caller */
	struct code_reader *reader;
	walk_callee callee;
	void *user;
	uint32_t *budget; /* instructions that may still be looked at */

	/* the result; of `clobber`, what can be said without the callees */
	struct clobber clobber;

	struct walk_node *nodes;
	uint32_t count;
	struct addr_table table;
	uint32_t *queue; /* last in, first out; a node is there at most once */
	uint32_t queued;
	bool has_switch;
	struct frame_args args;
};

/* Never fails: what is out of reach is not known or not complete. */
void walk_function(struct walk *walk, upatch_addr_t addr);
void walk_fini(struct walk *walk);

#endif
