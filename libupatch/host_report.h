/* SPDX-License-Identifier: MIT */
/*
 * What a borrowed thread tells its controller while it runs: in the siginfo of
 * the signal frame that it returns through, which nobody else reads.
 */
#ifndef UPATCH_HOST_REPORT_H
#define UPATCH_HOST_REPORT_H

#define HOST_REPORT_STATE 0
#define HOST_REPORT_STEP  8
#define HOST_REPORT_VALUE 16
#define HOST_REPORT_TEXT  24

/* Nothing that a stack is likely to hold: it can be read after the return. */
#define HOST_AT_WORK 0
/*
 * The agent is started, and the thread waits until that runs.  The agent is
 * held as long as its controller traces it, so that waits, too, if the
 * controller is alive, and goes on by itself as soon as it is dead.
 */
#define HOST_STARTED 0x5aa3c001
/*
 * All is undone, and the thread waits for so many rounds (0.1 s of its
 * processor time): nobody is there who could tell it that the controller lives.
 */
#define HOST_FAILED	   0x5aa3c002
#define HOST_FAILED_ROUNDS 4000000
/* It is on its way to rt_sigreturn. */
#define HOST_LEAVES 0x5aa3c003

#ifndef __ASSEMBLER__
#include <stdint.h>

struct host_report {
	uint64_t state;
	uint64_t step; /* STUB_…: which failed */
	int64_t value; /* the controller's end of the socket, or -errno */
	uint64_t text; /* of dlerror, or 0 */
};
#endif

#endif
