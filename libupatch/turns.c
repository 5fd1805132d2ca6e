/* SPDX-License-Identifier: MIT */
/* What the kernel says of turns on the processors, and is told. */
#include "turns.h"

#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* So many threads for each processor; one more is the one that asks. */
#define SHORT_FACTOR	 1
#define RARE_FACTOR	 2
#define VERY_RARE_FACTOR 8
#define LOOKS		 3
#define LOOK_GAP_NS	 2000000L

bool turns_get(pid_t tid, struct turns *ret_turns)
{
	return !syscall(SYS_sched_getattr, tid, ret_turns, sizeof(*ret_turns),
			0);
}

bool turns_set(pid_t tid, const struct turns *turns)
{
	return !syscall(SYS_sched_setattr, tid, turns, 0);
}

/* The fourth field (proc(5)). */
long turns_wanted(void)
{
	FILE *file = fopen("/proc/loadavg", "re");
	long wanted = 0;

	if (file && fscanf(file, "%*f %*f %*f %ld/", &wanted) != 1)
		wanted = 0;
	if (file)
		fclose(file);
	return wanted;
}

/* sysconf(3) would open a file of sysfs each time. */
long turns_processors(void)
{
	cpu_set_t set;

	/* There can be more than the set has room for. */
	if (sched_getaffinity(0, sizeof(set), &set))
		return sysconf(_SC_NPROCESSORS_ONLN);
	return CPU_COUNT(&set);
}

static bool exceed(long factor)
{
	return turns_wanted() > factor * turns_processors() + 1;
}

/*
 * A thousand threads that wake up at the same time are through after a few
 * milliseconds: no reason to come before them.
 */
static bool exceed_for_a_while(long factor)
{
	const struct timespec gap = { .tv_nsec = LOOK_GAP_NS };

	for (int i = 1; i < LOOKS; i++) {
		if (!exceed(factor))
			return false;
		nanosleep(&gap, NULL);
	}
	return exceed(factor);
}

bool turns_are_short_now(void)
{
	return exceed(SHORT_FACTOR);
}

bool turns_are_short(void)
{
	return exceed_for_a_while(SHORT_FACTOR);
}

bool turns_are_rare_now(void)
{
	return exceed(RARE_FACTOR);
}

bool turns_are_rare(void)
{
	return exceed_for_a_while(RARE_FACTOR);
}

bool turns_are_very_rare(void)
{
	return exceed_for_a_while(VERY_RARE_FACTOR);
}
