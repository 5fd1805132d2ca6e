/* SPDX-License-Identifier: MIT */
/*
 * Does a thread that blocks still wait where it did?  Asked of the kernel
 * without stopping the thread, which would disturb its call for nothing.
 */
#ifndef UPATCH_STILL_H
#define UPATCH_STILL_H

#include "tracer.h"

/*
 * True: it waits at the place where it was seen by the call before, not long
 * ago.  It may have been elsewhere meanwhile, so from time to time false.
 */
bool still_waits(struct thread *thread, uint64_t now_ns);
void still_forget(struct thread *thread);

#endif
