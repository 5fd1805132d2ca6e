/* SPDX-License-Identifier: MIT */
/* What a function writes, together with all that it calls. */
#include "../clobber.h"

#include <stdlib.h>

#include "walk.h"

#define FUNCTIONS_MAX 64

/* The first function is the one asked for, the others are those it calls. */
struct analysis {
	struct code_reader reader;
	struct {
		upatch_addr_t addr;
		struct clobber clobber; /* as far as is known by now */
	} functions[FUNCTIONS_MAX];
	unsigned int count;
	uint32_t budget;
};

static const struct clobber *find_callee(void *user, upatch_addr_t addr)
{
	struct analysis *analysis = user;
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

static void analyze_function(struct analysis *analysis, upatch_addr_t addr,
			     struct clobber *ret_clobber)
{
	struct walk walk = {
		.reader = &analysis->reader,
		.callee = find_callee,
		.user = analysis,
		.budget = &analysis->budget,
	};

	walk_function(&walk, addr);
	*ret_clobber = walk.clobber;
	walk_fini(&walk);
}

static bool has_grown(const struct clobber *before, const struct clobber *now)
{
	struct clobber_set written = before->written;
	struct clobber_set results = before->results;

	return clobber_set_add(&written, &now->written) ||
	       clobber_set_add(&results, &now->results) ||
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
		analysis->budget = WALK_INSTRUCTIONS_MAX;
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

		clobber_set_add(&clobber.touched, &callee->touched);
		if (clobber.known && !callee->known) {
			clobber.known = false;
			clobber.reason = callee->reason;
		} else if (clobber.complete && !callee->complete) {
			clobber.complete = false;
			clobber_set_add(&clobber.written, &clobber_results);
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
	if (analysis && code_reader_init(&analysis->reader, source) == 0) {
		find_callee(analysis, addr);
		analyze_all(analysis);
		combine(analysis, ret_clobber);
		code_reader_fini(&analysis->reader);
	}
	free(analysis);
}

bool clobber_needs_shield(const struct clobber *old_function)
{
	/* Even one that writes everything: the stack may be misaligned. */
	return old_function->known;
}

void clobber_find_kept(const struct clobber *old_function,
		       const struct clobber *new_function,
		       struct clobber_set *ret_kept)
{
	struct clobber_set kept =
		clobber_set_without(&clobber_all, &old_function->written);

	if (new_function->known && new_function->complete)
		kept = clobber_set_and(&kept, &new_function->touched);
	/*
	 * An old function that returns its argument as it is does not write
	 * the register, yet callers take the result from there.
	 */
	*ret_kept = clobber_set_without(&kept, &new_function->results);
}
