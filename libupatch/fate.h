/* SPDX-License-Identifier: MIT */
/* Whether a target is still the process, and the program, that was opened. */
#ifndef UPATCH_FATE_H
#define UPATCH_FATE_H

#include <stdbool.h>

#include "memory.h"

struct fate {
	pid_t pid;
	int pidfd; /* readable when the process has ended; -1: none */
	/* of the program's own headers, which no program takes away */
	upatch_addr_t headers;
};

/* Fails if there is no such process now.  Release with close. */
UPATCH_MUST_CHECK int fate_open(struct fate *fate, pid_t pid,
				struct upatch_error *err);
void fate_close(struct fate *fate);

/* At this moment, without waiting. */
bool fate_is_gone(const struct fate *fate, const struct memory *memory);
/*
 * What an operation that failed owes to the end of the process, is said to be
 * that: UPATCH_ERROR_NO_TARGET if the process has ended or has called execve.
 * Otherwise returns `ret`, and *err is as it was.
 */
int fate_explain(const struct fate *fate, const struct memory *memory, int ret,
		 struct upatch_error *err);

#endif
