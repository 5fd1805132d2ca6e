/* SPDX-License-Identifier: MIT */
/* Registers, interrupted system calls and signal frames on x86-64. */
#include "../arch_thread.h"

#include <elf.h>
#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>

#define SYSCALL_INSN_LEN 2

/* arch/x86/include/uapi/asm/ucontext.h */
#define UC_FP_XSTATE	     0x1u
#define UC_SIGCONTEXT_SS     0x2u
#define UC_STRICT_RESTORE_SS 0x4u

/* arch/x86/include/uapi/asm/sigcontext.h */
#define FP_XSTATE_MAGIC1_VALUE 0x46505853u
#define FP_XSTATE_MAGIC2_VALUE 0x46505845u
#define FP_SW_RESERVED_OFFSET  464

/* include/linux/errno.h */
#define ERESTARTSYS	      512
#define ERESTARTNOINTR	      513
#define ERESTARTNOHAND	      514
#define ERESTART_RESTARTBLOCK 516

/*
 * Made in place of a call that is not to be made.  -1 is no number to give: a
 * seccomp filter is asked about it, and may kill for what it does not know.
 */
#define HARMLESS_CALL SYS_getpid

#define USER_CS 0x33
#define USER_SS 0x2b

/*
 * No valid mode: rt_sigreturn passes uc_stack to sigaltstack, ignores that it
 * is refused, and leaves the thread's alternate stack as it is.  The kernel
 * never writes it: it tells our frames from others.
 */
#define SS_FLAGS_INVALID 0x00ffff00

struct fp_sw_bytes {
	uint32_t magic1;
	uint32_t extended_size;
	uint64_t xfeatures;
	uint32_t xstate_size;
	uint32_t padding[7];
};

struct kernel_sigcontext {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t di, si, bp, bx, dx, ax, cx, sp, ip, flags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2;
	uint64_t fpstate;
	uint64_t reserved[8];
};

struct kernel_signal_frame {
	uint64_t pretcode;
	uint64_t uc_flags;
	uint64_t uc_link;
	uint64_t ss_sp;
	int32_t ss_flags;
	int32_t ss_padding;
	uint64_t ss_size;
	struct kernel_sigcontext context;
	uint64_t sigmask;
	uint8_t siginfo[128];
};

const uint8_t arch_sigreturn_code[] = {
	0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, /* mov $15,%rax */
	0x0f, 0x05,				  /* syscall */
};
const size_t arch_sigreturn_code_len = sizeof(arch_sigreturn_code);

int arch_regs_read(pid_t tid, struct arch_regs *ret_regs)
{
	struct iovec iov = { &ret_regs->user, sizeof(ret_regs->user) };

	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &iov))
		return -errno;
	return 0;
}

int arch_regs_write(pid_t tid, const struct arch_regs *regs)
{
	struct user_regs_struct user = regs->user;
	struct iovec iov = { &user, sizeof(user) };

	if (ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &iov))
		return -errno;
	return 0;
}

int arch_thread_save(pid_t tid, struct arch_saved_thread *ret_saved)
{
	struct iovec iov = { ret_saved->xstate, sizeof(ret_saved->xstate) };
	int ret = arch_regs_read(tid, &ret_saved->regs);

	if (ret)
		return ret;
	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_X86_XSTATE, &iov))
		return -errno;
	ret_saved->xstate_len = iov.iov_len;
	if (ptrace(PTRACE_GETSIGMASK, tid, (void *)sizeof(ret_saved->sigmask),
		   &ret_saved->sigmask))
		return -errno;
	return 0;
}

int arch_thread_restore_state(pid_t tid, const struct arch_saved_thread *saved)
{
	struct arch_saved_thread copy = *saved;
	struct iovec iov = { copy.xstate, copy.xstate_len };

	if (ptrace(PTRACE_SETREGSET, tid, (void *)NT_X86_XSTATE, &iov))
		return -errno;
	if (ptrace(PTRACE_SETSIGMASK, tid, (void *)sizeof(copy.sigmask),
		   &copy.sigmask))
		return -errno;
	return 0;
}

bool arch_in_syscall(const struct arch_regs *regs)
{
	return (int64_t)regs->user.orig_rax >= 0;
}

bool arch_in_shared_wait(const struct arch_regs *regs)
{
	uint32_t operation = (uint32_t)regs->user.rsi;
	uint32_t command = operation & (uint32_t)FUTEX_CMD_MASK;

	return regs->user.orig_rax == SYS_futex &&
	       !(operation & FUTEX_PRIVATE_FLAG) &&
	       (command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET);
}

/*
 * signal(7), "Interruption of system calls and library functions by stop
 * signals": these fail with EINTR after a stop even without a handler.
 */
static bool is_never_restarted(uint64_t number)
{
	switch (number) {
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
	case SYS_semop:
	case SYS_semtimedop:
	case SYS_rt_sigtimedwait:
	case SYS_io_getevents:
	case SYS_io_pgetevents:
	case SYS_read: /* inotify(7) descriptors, timed sockets */
	case SYS_readv:
	case SYS_preadv2: /* as readv, if the offset is -1 */
	case SYS_splice:
	case SYS_recvfrom: /* with SO_RCVTIMEO, as the next ones */
	case SYS_recvmsg:
	case SYS_recvmmsg:
	case SYS_accept:
	case SYS_accept4:
	case SYS_write:
	case SYS_writev:
	case SYS_pwritev2:
	case SYS_sendfile:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
	case SYS_connect:
	case SYS_io_uring_enter:
		return true;
	default:
		return false;
	}
}

/* Outside of a system call orig_rax is -1 (arch/x86/entry/entry_64.S). */
bool arch_was_computing(const struct arch_regs *regs)
{
	return (long)regs->user.orig_rax < 0;
}

bool arch_is_spurious_eintr(const struct arch_regs *regs)
{
	return arch_in_syscall(regs) && (int64_t)regs->user.rax == -EINTR &&
	       is_never_restarted(regs->user.orig_rax);
}

void arch_make_call_again(struct arch_regs *regs)
{
	regs->user.rip -= SYSCALL_INSN_LEN;
	regs->user.rax = regs->user.orig_rax;
	regs->user.orig_rax = (unsigned long long)-1;
}

void arch_postpone_sigreturn(struct arch_regs *regs)
{
	regs->user.orig_rax = HARMLESS_CALL;
	regs->user.rip -= sizeof(arch_sigreturn_code);
}

bool arch_call_is_pending(const struct arch_regs *regs,
			  const struct arch_regs *interrupted)
{
	struct arch_regs again = *interrupted;

	arch_make_call_again(&again);
	return regs->user.rip == again.user.rip &&
	       regs->user.rax == again.user.rax &&
	       regs->user.rsp == again.user.rsp &&
	       (int64_t)regs->user.orig_rax == -1;
}

bool arch_can_be_vfork(long syscall)
{
	/* posix_spawn of glibc: clone with CLONE_VFORK; clone3 from 2.38 on. */
	return syscall == SYS_vfork || syscall == SYS_clone || syscall == 435;
}

bool arch_uses_restart_call(const struct arch_regs *regs)
{
	return arch_in_syscall(regs) &&
	       (int64_t)regs->user.rax == -ERESTART_RESTARTBLOCK;
}

void arch_avoid_restart_call(struct arch_regs *regs)
{
	regs->user.rax = (unsigned long long)-ERESTARTNOINTR;
}

/* A call that the kernel would restart, or a spurious EINTR. */
static bool is_interrupted_call(const struct arch_regs *regs)
{
	if (!arch_in_syscall(regs))
		return false;
	switch ((int64_t)regs->user.rax) {
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND:
	case -ERESTART_RESTARTBLOCK:
		return true;
	default:
		return arch_is_spurious_eintr(regs);
	}
}

static void fill_context(struct kernel_sigcontext *context,
			 const struct arch_regs *regs)
{
	const struct user_regs_struct *user = &regs->user;

	*context = (struct kernel_sigcontext){
		.r8 = user->r8,
		.r9 = user->r9,
		.r10 = user->r10,
		.r11 = user->r11,
		.r12 = user->r12,
		.r13 = user->r13,
		.r14 = user->r14,
		.r15 = user->r15,
		.di = user->rdi,
		.si = user->rsi,
		.bp = user->rbp,
		.bx = user->rbx,
		.dx = user->rdx,
		.ax = user->rax,
		.cx = user->rcx,
		.sp = user->rsp,
		.ip = user->rip,
		.flags = user->eflags,
		.cs = USER_CS,
		.ss = USER_SS,
	};
}

/*
 * The magic words tell the kernel that the whole xsave area is there, not
 * only its legacy part (check_xstate_in_sigframe).
 */
static size_t fill_xstate(uint8_t *buf, const struct arch_saved_thread *saved)
{
	const uint32_t magic2 = FP_XSTATE_MAGIC2_VALUE;
	struct fp_sw_bytes sw_bytes = {
		.magic1 = FP_XSTATE_MAGIC1_VALUE,
		.extended_size = (uint32_t)(saved->xstate_len + sizeof(magic2)),
		.xstate_size = (uint32_t)saved->xstate_len,
	};

	/* The ptrace format has the enabled features in these bytes. */
	memcpy(&sw_bytes.xfeatures, saved->xstate + FP_SW_RESERVED_OFFSET,
	       sizeof(sw_bytes.xfeatures));
	memcpy(buf, saved->xstate, saved->xstate_len);
	memcpy(buf + FP_SW_RESERVED_OFFSET, &sw_bytes, sizeof(sw_bytes));
	memcpy(buf + saved->xstate_len, &magic2, sizeof(magic2));
	return saved->xstate_len + sizeof(magic2);
}

/*
 *	sp - red zone  ->  +---------------------+
 *	                   | xstate, magic2      |  64-byte aligned
 *	fpstate        ->  +---------------------+
 *	                   | siginfo             |
 *	                   | ucontext            |
 *	*ret_addr      ->  | pretcode            |  16n + 8, as after a call
 *	                   +---------------------+
 */
void arch_build_signal_frame(const struct arch_saved_thread *saved,
			     upatch_addr_t sigreturn, uint8_t *buf,
			     size_t *ret_len, upatch_addr_t *ret_addr)
{
	struct arch_regs again = saved->regs;
	struct kernel_signal_frame frame = { 0 };
	upatch_addr_t top = saved->regs.user.rsp - ARCH_RED_ZONE;
	upatch_addr_t fpstate, addr;

	if (is_interrupted_call(&again))
		arch_make_call_again(&again);
	fpstate = (top - saved->xstate_len - sizeof(uint32_t)) & ~63UL;
	addr = ((fpstate - sizeof(frame)) & ~15UL) - 8;
	frame.pretcode = sigreturn;
	frame.uc_flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	frame.ss_flags = SS_FLAGS_INVALID;
	fill_context(&frame.context, &again);
	frame.context.fpstate = fpstate;
	frame.sigmask = saved->sigmask;
	memset(buf, 0, fpstate - addr);
	memcpy(buf, &frame, sizeof(frame));
	*ret_len = fpstate - addr + fill_xstate(buf + (fpstate - addr), saved);
	*ret_addr = addr;
}

bool arch_signal_frame_read(const uint8_t head[ARCH_SIGNAL_FRAME_HEAD_LEN],
			    struct arch_signal_frame *ret_frame)
{
	struct kernel_signal_frame frame = { 0 };
	uint64_t sp;

	if (!arch_read_signal_frame(head, &sp))
		return false;
	memcpy(&frame, head, ARCH_SIGNAL_FRAME_HEAD_LEN);
	*ret_frame = (struct arch_signal_frame){
		.sp = sp,
		.alternate_stack = frame.ss_sp,
		.alternate_stack_len = frame.ss_size,
		.is_ours = frame.ss_flags == SS_FLAGS_INVALID,
	};
	return true;
}

void arch_prepare_call(struct arch_regs *regs, upatch_addr_t function,
		       const uint64_t args[6], upatch_addr_t frame,
		       bool at_sigreturn)
{
	const uint64_t direction_flag = 1UL << 10, trap_flag = 1UL << 8;
	struct user_regs_struct *user = &regs->user;

	user->rip = function;
	user->rsp = frame;
	user->rdi = args[0];
	user->rsi = args[1];
	user->rdx = args[2];
	user->rcx = args[3];
	user->r8 = args[4];
	user->r9 = args[5];
	user->rax = 0;
	user->orig_rax = at_sigreturn ? HARMLESS_CALL : (unsigned long long)-1;
	user->eflags &= ~(direction_flag | trap_flag);
}

bool arch_at_sigreturn(const struct arch_regs *regs, upatch_addr_t frame)
{
	return regs->user.orig_rax == SYS_rt_sigreturn &&
	       regs->user.rsp == frame + sizeof(uint64_t);
}

void arch_hide_error(struct arch_regs *regs)
{
	regs->user.rax = 0;
}

upatch_addr_t arch_frame_report(upatch_addr_t frame)
{
	return frame + offsetof(struct kernel_signal_frame, siginfo);
}
