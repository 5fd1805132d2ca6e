/* SPDX-License-Identifier: MIT */
/* What a walk or a scan of a stack must know of frames on this processor. */
#ifndef UPATCH_FRAME_H
#define UPATCH_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The frame that the kernel lays on the stack for a signal handler (struct
 * rt_sigframe) begins with the handler's return address.  `head` is what
 * stands there.  True if it can be such a frame; *ret_sp is then the stack
 * pointer of what was interrupted.
 */
#define ARCH_SIGNAL_FRAME_HEAD_LEN 200
bool arch_read_signal_frame(const uint8_t head[ARCH_SIGNAL_FRAME_HEAD_LEN],
			    uint64_t *ret_sp);

/* What the return of a handler pops: its stack pointer is so far behind. */
#define ARCH_SIGNAL_FRAME_POPPED 8

/* The instruction that makes a system call. */
#define ARCH_SYSTEM_CALL_LEN 2
/*
 * Is a thread that goes on at code[offset] about to make a system call, or has
 * it just made one?  `code` is that of its function, from the beginning, to
 * the end of an instruction that may stand there.
 */
bool arch_is_at_system_call(const uint8_t *code, size_t len, size_t offset);

/* The longest call instruction, prefixes not counted. */
#define ARCH_CALL_MAX 7
/*
 * Can code that continues behind before[0, ARCH_CALL_MAX) have been called
 * from there?  A call that the jump of a site has overwritten counts as one.
 */
bool arch_is_after_call(const uint8_t before[ARCH_CALL_MAX]);

/*
 * Where code[0, len), which runs at `addr`, jumps to `target` with a 32-bit
 * displacement, as a function does that ends in another one.  Instructions are
 * not told apart: that other bytes hold just that distance is left out of
 * account.
 */
bool arch_find_jump(const uint8_t *code, size_t len, uint64_t addr,
		    uint64_t target, size_t *ret_offset);

/*
 * Does the code of __start_context begin here?  makecontext(3) of glibc makes
 * that the return address of a context's first function; no call is before it.
 */
#define ARCH_CONTEXT_START_LEN 3
bool arch_is_context_start(const uint8_t code[ARCH_CONTEXT_START_LEN]);

#endif
