/* SPDX-License-Identifier: MIT */
/*
 * Turns on the processors: how many want one, and how a thread gets its own
 * (sched_setattr(2)).  The command has a copy of these, too.
 */
#ifndef UPATCH_TURNS_H
#define UPATCH_TURNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* As the system call has them; its header cannot stand beside that of libc. */
struct turns {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t slice_ns, deadline_ns, period_ns;
};

/*
 * From Linux 6.12 on, who asks for a shorter slice than the one that runs comes
 * before it when it wakes up.  Else it can wait for the next tick each time,
 * 4 ms with 250 ticks a second (PREEMPT_SHORT, kernel/sched/features.h).
 * This is the shortest there is.
 */
#define TURNS_SHORT_NS 100000u
#define TURNS_HIGHEST  (-20)
/*
 * Of a command with many processes, while nobody waits for it.  Not what
 * nice(1) gives by default, so that a choice of the user's is known as such.
 */
#define TURNS_PATIENT 11

/* `tid` may be 0, the calling thread.  False: that is not permitted. */
bool turns_get(pid_t tid, struct turns *ret_turns);
bool turns_set(pid_t tid, const struct turns *turns);

/* Threads of the machine that run or wait for a processor; 0: not known. */
long turns_wanted(void);
/* Those that we may use. */
long turns_processors(void);
/*
 * More than one thread per processor, more than two, more than eight: so many
 * that whoever takes his turns lasts for seconds; below that it is as with
 * servers that have work to do.  At each of three looks, 2 ms apart; those after
 * the first are only taken while it is so, and it sleeps in between.
 */
bool turns_are_short(void);
bool turns_are_rare(void);
bool turns_are_very_rare(void);
/* By one look: for who must not be kept waiting. */
bool turns_are_short_now(void);
bool turns_are_rare_now(void);

#endif
