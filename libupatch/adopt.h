/* SPDX-License-Identifier: MIT */
/* Children that were forked in the middle of a transition. */
#ifndef UPATCH_ADOPT_H
#define UPATCH_ADOPT_H

#include "operation.h"

/*
 * A child has its own copy of the transition, which nobody drives: brings it
 * to the end that the parent's has come to.  `reversed`: that was the end of a
 * transition that was turned around.
 */
UPATCH_MUST_CHECK int adopt_children(const struct operation *operation,
				     bool reversed, struct upatch_error *err);

#endif
