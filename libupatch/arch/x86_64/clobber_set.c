/* SPDX-License-Identifier: MIT */
/* Sets of caller-saved registers. */
#include "effect.h"

const struct clobber_set clobber_results = {
	.general = GENERAL_BIT(RAX) | GENERAL_BIT(RDX),
	.vector = 3,
};

const struct clobber_set clobber_all = {
	.general = GENERAL_CALLER_SAVED,
	.vector = VECTOR_ALL,
	.opmask = OPMASK_ALL,
};

bool clobber_set_add(struct clobber_set *set, const struct clobber_set *more)
{
	struct clobber_set before = *set;

	set->general |= more->general;
	set->vector |= more->vector;
	set->opmask |= more->opmask;
	return set->general != before.general || set->vector != before.vector ||
	       set->opmask != before.opmask;
}

struct clobber_set clobber_set_and(const struct clobber_set *a,
				   const struct clobber_set *b)
{
	return (struct clobber_set){
		.general = a->general & b->general,
		.vector = a->vector & b->vector,
		.opmask = a->opmask & b->opmask,
	};
}

struct clobber_set clobber_set_without(const struct clobber_set *a,
				       const struct clobber_set *b)
{
	return (struct clobber_set){
		.general = a->general & ~b->general,
		.vector = a->vector & ~b->vector,
		.opmask = a->opmask & ~b->opmask,
	};
}
