/* SPDX-License-Identifier: MIT */
/* The agent of another operation, or of one whose controller has gone. */
#ifndef UPATCH_AGENT_END_H
#define UPATCH_AGENT_END_H

#include "process.h"

/*
 * The agent, as we number it, or 0.  Its name alone does not tell: threads
 * that a callback creates have it, too.  Without a runtime that is known the
 * name has to do.
 */
pid_t agent_end_find(const struct process *process);

/*
 * Waits until there is no agent: for a second where a controller lives, and
 * until `deadline_ns` where nobody does and a callback holds the agent up.
 * UPATCH_ERROR_BUSY, with the reason: there still is one.
 */
UPATCH_MUST_CHECK int agent_end_wait(const struct process *process,
				     uint64_t deadline_ns,
				     struct upatch_error *err);

#endif
