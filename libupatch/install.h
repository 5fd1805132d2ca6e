/* SPDX-License-Identifier: MIT */
/*
 * Gets everything ready in the target that a loaded patch needs: symbols are
 * filled in, sites registered, gates written.  No code of the target changes
 * yet; that is the barrier's.
 */
#ifndef UPATCH_INSTALL_H
#define UPATCH_INSTALL_H

#include "channel.h"
#include "plan.h"

/* `view` was read after the patch was loaded; `patch` is its entry there. */
UPATCH_MUST_CHECK int
install_prepare(struct process *process, struct channel *channel,
		const struct view *view, const struct view_patch *patch,
		const struct upatch_patch_file *file, const struct plan *plan,
		uint64_t deadline_ns, struct upatch_error *err);

#endif
