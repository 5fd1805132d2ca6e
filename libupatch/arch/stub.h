/* SPDX-License-Identifier: MIT */
/*
 * The few instructions that a borrowed thread runs to load the runtime:
 * position-independent, written into a page of the target.  C sees the
 * parameters, assembly their offsets; stub.c checks that both agree.
 */
#ifndef UPATCH_STUB_H
#define UPATCH_STUB_H

#define STUB_IMAGE	 0
#define STUB_IMAGE_LEN	 8
#define STUB_SCRATCH	 16
#define STUB_SCRATCH_LEN 24
#define STUB_REPORT	 32
#define STUB_DLOPEN	 40
#define STUB_DLSYM	 48
#define STUB_DLERROR	 56
#define STUB_ERRNO	 64
#define STUB_MEMFD_NAME	 72
#define STUB_START_NAME	 104
#define STUB_FD_FOLDER	 136
#define STUB_SIGMASK	 168
#define STUB_PARAMS_LEN	 176

/* Which step failed. */
#define STUB_OK		   0
#define STUB_STACK	   1
#define STUB_MEMFD	   2
#define STUB_WRITE	   3
#define STUB_DLOPEN_FAILED 4
#define STUB_DLSYM_FAILED  5

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

struct stub_params {
	uint64_t image; /* of the runtime; unmapped when it has been copied */
	uint64_t image_len;
	/* the stack that dlopen runs on: mapped, but not writable yet */
	uint64_t scratch, scratch_len;
	uint64_t report; /* where a struct host_report is to be left */
	uint64_t dlopen, dlsym, dlerror, errno_location;
	char memfd_name[32];
	char start_name[32];
	char fd_folder[32]; /* "/proc/self/task/TID/fd/" */
	uint64_t sigmask;   /* what the thread blocks meanwhile */
};

/*
 * Called as stub(params).  It reports (host_report.h) when the agent is there,
 * from inside the runtime, or what failed: then it has unmapped the image and
 * the stack.
 */
extern const uint8_t arch_stub_begin[];
extern const uint8_t arch_stub_end[];
#endif

#endif
