/* SPDX-License-Identifier: MIT */
/*
 * Most of what a command does, nobody waits for: files are read and stacks
 * unwound, and a server beside it has requests to answer.
 */
#include "pace.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* So many threads for each processor that want it are a crowd. */
#define CROWD_FACTOR 2
/*
 * Who asks for a shorter turn than the one that runs comes before it when it
 * wakes up (Linux 6.12, PREEMPT_SHORT in kernel/sched/features.h).  By default
 * it is 3 ms at most; 0.1 is the shortest.
 */
#define LONG_SLICE_NS  10000000UL
#define SHORT_SLICE_NS 100000UL
#define HIGHEST	       (-20)

/* sched_setattr(2); its header cannot stand beside that of libc. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t slice_ns, deadline_ns, period_ns;
};

/* The fourth field: those that run or wait for a processor (proc(5)). */
static bool is_crowded(void)
{
	FILE *file = fopen("/proc/loadavg", "re");
	long runnable = 0;

	if (file && fscanf(file, "%*f %*f %*f %ld/", &runnable) != 1)
		runnable = 0;
	if (file)
		fclose(file);
	return runnable > CROWD_FACTOR * sysconf(_SC_NPROCESSORS_ONLN) + 1;
}

void pace_choose(void)
{
	struct attributes wanted;

	/* Who has chosen another policy or priority for it knows why. */
	if (syscall(SYS_sched_getattr, 0, &wanted, sizeof(wanted), 0) ||
	    wanted.policy != SCHED_OTHER || wanted.nice != 0)
		return;
	wanted.slice_ns = LONG_SLICE_NS;
	if (is_crowded()) {
		wanted.slice_ns = SHORT_SLICE_NS;
		wanted.nice = HIGHEST;
	}
	(void)!syscall(SYS_sched_setattr, 0, &wanted, 0);
}
