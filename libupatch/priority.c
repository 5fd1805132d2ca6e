/* SPDX-License-Identifier: MIT */
/* The calling thread before all others, for moments in which others wait. */
#include "priority.h"

#include <stdio.h>
#include <unistd.h>

bool priority_is_crowded(void)
{
	FILE *file = fopen("/proc/loadavg", "re");
	long runnable = 0;

	/* The fourth field: those that run or wait for a processor (proc(5)). */
	if (!file || fscanf(file, "%*f %*f %*f %ld/", &runnable) != 1)
		runnable = 0;
	if (file)
		fclose(file);
	return runnable > sysconf(_SC_NPROCESSORS_ONLN) + 1;
}

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
