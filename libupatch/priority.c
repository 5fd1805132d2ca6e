/* SPDX-License-Identifier: MIT */
/* The calling thread before all others, for moments in which others wait. */
#include "priority.h"

void priority_raise(struct priority *priority)
{
	const struct sched_param lowest = {
		.sched_priority = sched_get_priority_min(SCHED_FIFO)
	};

	priority->is_raised = false;
	priority->policy = sched_getscheduler(0);
	/* Who has chosen another policy for it knows why. */
	if ((priority->policy & ~SCHED_RESET_ON_FORK) != SCHED_OTHER ||
	    sched_getparam(0, &priority->param))
		return;
	priority->is_raised =
		!sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK,
				    &lowest);
}

/* To take the flag back needs a privilege that raising may not have needed. */
void priority_restore(struct priority *priority)
{
	if (priority->is_raised)
		sched_setscheduler(0, priority->policy | SCHED_RESET_ON_FORK,
				   &priority->param);
	priority->is_raised = false;
}
