/* SPDX-License-Identifier: MIT */
/* System states: does what a patch declares fit what is applied already? */
#ifndef UPATCH_STATE_CHECK_H
#define UPATCH_STATE_CHECK_H

#include "findings.h"
#include "patch_model.h"
#include "view.h"

/*
 * Compares the states of `model` with those of every listed patch.  Each
 * conflict is a finding, UPATCH_ERROR_CONFLICT; what is returned is only that
 * the looking itself failed.
 */
UPATCH_MUST_CHECK int state_check(const struct memory *memory,
				  const struct view *view,
				  const struct patch_model *model,
				  struct findings *findings,
				  struct upatch_error *err);

#endif
