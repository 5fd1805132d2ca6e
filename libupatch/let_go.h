/* SPDX-License-Identifier: MIT */
/* The end of tracing. */
#ifndef UPATCH_LET_GO_H
#define UPATCH_LET_GO_H

#include "tracer.h"

/*
 * Before the tracing thread ends: no thread is left with a system call that
 * is still to be made again.  A signal that came before it would be handled
 * without the EINTR that it owes to the call, and nobody would see to that.
 */
void let_go(struct tracer *tracer);

#endif
