/* SPDX-License-Identifier: MIT */
/* Does a thread still wait where it did? */
#include "still.h"

/* So long at most it is taken for the same wait. */
#define TRUST_NS 100000000UL

bool still_waits(struct thread *thread, uint64_t now_ns)
{
	struct task_place place;
	bool waits = tasks_waits_at(thread->tracer->pid, thread->tid, &place);

	if (waits && place.sp == thread->waits_at.sp &&
	    place.pc == thread->waits_at.pc &&
	    now_ns - thread->waits_since_ns < TRUST_NS)
		return true;
	still_forget(thread);
	if (waits) {
		thread->waits_at = place;
		thread->waits_since_ns = now_ns;
	}
	return false;
}

void still_forget(struct thread *thread)
{
	thread->waits_at = (struct task_place){ 0 };
}
