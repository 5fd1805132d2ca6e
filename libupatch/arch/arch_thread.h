/* SPDX-License-Identifier: MIT */
/*
 * The processor-dependent half of tracing: registers of a stopped thread,
 * interrupted system calls, and the frame through which a borrowed thread
 * comes back by itself.
 */
#ifndef UPATCH_ARCH_THREAD_H
#define UPATCH_ARCH_THREAD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../addr.h"
#include "../error.h"
#include "frame.h"
#include "regs.h"

/* Bytes below the stack pointer that belong to the function that runs. */
#define ARCH_RED_ZONE 128
/* The most that the extended state of a thread can have (AMX included). */
#define ARCH_XSTATE_MAX 16384
/* The most that a signal frame can need: xstate, context, alignment. */
#define ARCH_SIGNAL_FRAME_MAX (ARCH_XSTATE_MAX + 1024)

/* Where /proc/PID/status names it if a thread has a shadow stack. */
#define ARCH_STATUS_FEATURES	 "\nx86_Thread_features:"
#define ARCH_STATUS_SHADOW_STACK "shstk"

/* Everything of a stopped thread that a remote call changes. */
struct arch_saved_thread {
	struct arch_regs regs;
	uint64_t sigmask;
	size_t xstate_len;
	_Alignas(64) uint8_t xstate[ARCH_XSTATE_MAX];
};

/* All three return 0 or -errno; -ESRCH: the thread is gone or runs. */
UPATCH_MUST_CHECK int arch_regs_read(pid_t tid, struct arch_regs *ret_regs);
UPATCH_MUST_CHECK int arch_regs_write(pid_t tid, const struct arch_regs *regs);
UPATCH_MUST_CHECK int arch_thread_save(pid_t tid,
				       struct arch_saved_thread *ret_saved);
/* Puts back the extended state and the signal mask, not the registers. */
UPATCH_MUST_CHECK int
arch_thread_restore_state(pid_t tid, const struct arch_saved_thread *saved);

/* Inside a system call, seen at an interrupt stop. */
bool arch_in_syscall(const struct arch_regs *regs);
/*
 * In a futex wait that is not private, as the one for the end of a thread is:
 * the kernel wakes it (set_tid_address(2)), while libc's locks are private.
 */
bool arch_in_shared_wait(const struct arch_regs *regs);

/*
 * Interrupted by our stop with the result EINTR, in one of the calls that
 * signal(7) lists as never restarted after a stop.
 */
bool arch_is_spurious_eintr(const struct arch_regs *regs);
/* In such a call a thread waits, deaf, for a child that shares its memory. */
bool arch_can_be_vfork(long syscall);

/* A call that the kernel would restart by restart_syscall(2). */
bool arch_uses_restart_call(const struct arch_regs *regs);
/* The kernel makes the call itself again instead, from its beginning. */
void arch_avoid_restart_call(struct arch_regs *regs);
/* Was it computing when it was stopped, and not in a system call? */
bool arch_was_computing(const struct arch_regs *regs);

/* Changes the registers so that the interrupted call is made again. */
void arch_make_call_again(struct arch_regs *regs);
/* Still as arch_make_call_again left them: the call has not been made yet. */
bool arch_call_is_pending(const struct arch_regs *regs,
			  const struct arch_regs *interrupted);

/*
 * Builds what the kernel lays on the stack for a signal handler (struct
 * rt_sigframe, arch/x86/include/asm/sigframe.h), so that a function that is
 * entered on it returns, through `sigreturn` (the C library's __restore_rt),
 * to the state in `saved`.  An interrupted system call is set up to be made
 * again there, as rt_sigreturn forgets the restart block.  `buf` has
 * ARCH_SIGNAL_FRAME_MAX bytes; the frame is to be written at *ret_addr.
 */
void arch_build_signal_frame(const struct arch_saved_thread *saved,
			     upatch_addr_t sigreturn, uint8_t *buf,
			     size_t *ret_len, upatch_addr_t *ret_addr);

/* What the head of a signal frame tells. */
struct arch_signal_frame {
	upatch_addr_t sp; /* of what was interrupted */
	/* the thread's when the signal came; empty: none */
	upatch_addr_t alternate_stack;
	uint64_t alternate_stack_len;
	/* arch_build_signal_frame has made it, not the kernel */
	bool is_ours;
};

/* False: it is no signal frame (arch_read_signal_frame). */
bool arch_signal_frame_read(const uint8_t head[ARCH_SIGNAL_FRAME_HEAD_LEN],
			    struct arch_signal_frame *ret_frame);

/*
 * Registers that enter function(args…) on the frame at `frame`.  `at_sigreturn`:
 * from the entry of the rt_sigreturn that ends the call before.
 */
void arch_prepare_call(struct arch_regs *regs, upatch_addr_t function,
		       const uint64_t args[6], upatch_addr_t frame,
		       bool at_sigreturn);

/* At the entry of the rt_sigreturn that ends a call on the frame. */
bool arch_at_sigreturn(const struct arch_regs *regs, upatch_addr_t frame);

/*
 * At the entry of that call: one without effect is made in its place, and then
 * this one, unless the registers are set anew at the stop in between.
 */
void arch_postpone_sigreturn(struct arch_regs *regs);

/*
 * At the exit of a system call: the C library is to take it for one that has
 * not failed, and to leave errno alone.
 */
void arch_hide_error(struct arch_regs *regs);

/* Bytes of the frame that nobody reads: room for a struct host_report. */
upatch_addr_t arch_frame_report(upatch_addr_t frame);

/* The bytes of __restore_rt, for finding it in the C library. */
extern const uint8_t arch_sigreturn_code[];
extern const size_t arch_sigreturn_code_len;

#endif
