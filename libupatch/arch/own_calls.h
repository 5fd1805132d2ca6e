/* SPDX-License-Identifier: MIT */
/*
 * The system calls that our code makes in the target, for a judgement of the
 * target's seccomp filters beforehand.
 */
#ifndef UPATCH_OWN_CALLS_H
#define UPATCH_OWN_CALLS_H

#include <stdbool.h>
#include <stddef.h>

#include "../seccomp_program.h"

enum own_call_when {
	/* a borrowed thread, and the agent, which inherits its filters */
	OWN_CALL_ENTERING = 1,
	/* a thread of the program in dlopen or dlclose */
	OWN_CALL_IN_LOADER = 2,
	/* the agent, where it changes gates (runtime/gate_code.c) */
	OWN_CALL_GATES = 4,
};

struct own_call {
	const char *name;
	struct seccomp_call call;
	unsigned int when;
	/* nothing depends on it: it may fail, but not kill */
	bool may_fail;
	/* if it fails with ENOSYS, the C library makes the next one instead */
	bool has_substitute;
};

extern const struct own_call arch_own_calls[];
extern const size_t arch_own_call_count;

/*
 * Made by a thread in a nanosleep, poll, or futex with a time-out, when it goes
 * on after a stop (signal(7)).
 */
extern const struct seccomp_call arch_restart_call;

#endif
