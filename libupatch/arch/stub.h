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
#define STUB_SCRATCH_LEN 16
#define STUB_DLOPEN	 24
#define STUB_DLSYM	 32
#define STUB_DLERROR	 40
#define STUB_ERRNO	 48
#define STUB_MEMFD_NAME	 56
#define STUB_START_NAME	 88
#define STUB_FD_FOLDER	 120
#define STUB_SIGMASK	 152
#define STUB_PARAMS_LEN	 160

/* Which step failed; left in the first result register. */
#define STUB_OK		   0
#define STUB_MMAP	   1
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
	uint64_t scratch_len; /* of the stack that dlopen runs on */
	uint64_t dlopen, dlsym, dlerror, errno_location;
	char memfd_name[32];
	char start_name[32];
	char fd_folder[32]; /* "/proc/self/task/TID/fd/" */
	uint64_t sigmask;   /* what the thread blocks meanwhile */
};

/*
 * Called as stub(params).  Results (arch_stub_results): the step that failed,
 * or STUB_OK; -errno, or what upatch_runtime_start returned; the text of
 * dlerror, or 0.
 */
extern const uint8_t arch_stub_begin[];
extern const uint8_t arch_stub_end[];
#endif

#endif
