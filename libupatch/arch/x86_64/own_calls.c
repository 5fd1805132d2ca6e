/* SPDX-License-Identifier: MIT */
/* System calls of the stub, the runtime, and the C library on their behalf. */
#include "../own_calls.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_rseq
#define SYS_rseq 334
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define SIGSET_LEN 8
#define ANONYMOUS  (MAP_PRIVATE | MAP_ANONYMOUS)
#define FROM_FILE  (MAP_PRIVATE | MAP_DENYWRITE)
/* What pthread_create asks for (glibc, sysdeps/unix/sysv/linux/createthread.c). */
#define THREAD_FLAGS                                                           \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |    \
	 CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |                  \
	 CLONE_CHILD_CLEARTID)

#define ENTERING  OWN_CALL_ENTERING
#define IN_LOADER OWN_CALL_IN_LOADER
#define BOTH	  (ENTERING | IN_LOADER)
#define GATES	  OWN_CALL_GATES

/* Bit n of `known_args`: argument n is as given. */
#define CALL(name, known_args, ...)                                            \
#name,                                                                 \
	{                                                                      \
		AUDIT_ARCH_X86_64, SYS_##name, { __VA_ARGS__ }, (known_args)   \
	}
#define ANY(name)	     CALL(name, 0, 0)
#define MAPPING(prot, flags) CALL(mmap, 0xc, 0, 0, (prot), (flags))

/* clang-format off */
const struct own_call arch_own_calls[] = {
	/* how a borrowed thread comes back */
	{ ANY(rt_sigreturn), ENTERING, false, false },
	{ ANY(getpid), BOTH, false, false },

	{ CALL(rt_sigprocmask, 0x9, SIG_SETMASK, 0, 0, SIGSET_LEN), BOTH, false, false },
	{ MAPPING(PROT_READ | PROT_EXEC, ANONYMOUS), ENTERING, false, false },
	{ MAPPING(PROT_READ | PROT_WRITE, ANONYMOUS), BOTH, false, false },
	{ MAPPING(PROT_READ | PROT_WRITE, ANONYMOUS | MAP_NORESERVE), BOTH, false, false },
	{ CALL(memfd_create, 0x2, 0, 1), ENTERING, false, false },
	{ ANY(write), ENTERING, false, false },

	/* the loader */
	{ CALL(openat, 0xd, (uint64_t)AT_FDCWD, 0, O_RDONLY | O_CLOEXEC), BOTH, false, false },
	{ ANY(read), BOTH, false, false },
	{ ANY(pread64), BOTH, false, false },
	{ ANY(fstat), BOTH, false, false },
	{ CALL(newfstatat, 0x8, 0, 0, 0, AT_EMPTY_PATH), BOTH, false, false },
	{ MAPPING(PROT_READ, FROM_FILE), BOTH, false, false },
	{ MAPPING(PROT_READ, FROM_FILE | MAP_FIXED), ENTERING, false, false },
	{ MAPPING(PROT_READ | PROT_EXEC, FROM_FILE | MAP_FIXED), ENTERING, false, false },
	{ MAPPING(PROT_READ | PROT_WRITE, FROM_FILE | MAP_FIXED), ENTERING, false, false },
	{ MAPPING(PROT_READ | PROT_WRITE, ANONYMOUS | MAP_FIXED), ENTERING, false, false },
	{ CALL(mprotect, 0x4, 0, 0, PROT_READ), ENTERING, false, false },
	{ ANY(close), BOTH, false, false },
	{ ANY(munmap), BOTH, false, false },

	/* the allocator */
	{ ANY(brk), BOTH, false, false },
	{ MAPPING(PROT_NONE, ANONYMOUS | MAP_NORESERVE), BOTH, false, false },
	{ CALL(mprotect, 0x4, 0, 0, PROT_READ | PROT_WRITE), BOTH, false, false },
	{ ANY(madvise), BOTH, true, false },
	{ ANY(mremap), BOTH, true, false },
	{ ANY(getrandom), BOTH, true, false },
	{ ANY(futex), BOTH, false, false },

	/* the agent */
	{ CALL(socketpair, 0x7, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), ENTERING, false, false },
	{ ANY(clone3), ENTERING, false, true },
	{ CALL(clone, 0x1, THREAD_FLAGS), ENTERING, false, false },
	{ MAPPING(PROT_READ | PROT_WRITE, ANONYMOUS | MAP_STACK | MAP_NORESERVE), ENTERING, false, false },
	{ CALL(rt_sigaction, 0x9, 33, 0, 0, SIGSET_LEN), ENTERING, false, false },
	{ ANY(set_robust_list), ENTERING, true, false },
	/* which glibc must not fail once the first thread has it */
	{ ANY(rseq), ENTERING, false, false },
	{ CALL(prctl, 0x1, PR_SET_NAME), ENTERING, false, false },
	{ ANY(readlink), ENTERING, false, false },
	{ ANY(gettid), BOTH, false, false },
	{ ANY(poll), ENTERING, false, false },
	{ ANY(recvmsg), ENTERING, false, false },
	{ ANY(sendto), ENTERING, false, false },
	{ ANY(clock_gettime), BOTH, true, false },
	{ ANY(exit), ENTERING, false, false },

	/* gates */
	{ MAPPING(PROT_READ | PROT_EXEC, ANONYMOUS | MAP_FIXED_NOREPLACE), BOTH, false, false },
	{ MAPPING(PROT_READ | PROT_WRITE, ANONYMOUS | MAP_FIXED_NOREPLACE), BOTH, false, false },
	{ CALL(openat, 0xd, (uint64_t)AT_FDCWD, 0, O_RDWR | O_CLOEXEC), IN_LOADER | GATES, false, false },
	{ CALL(openat, 0xd, (uint64_t)AT_FDCWD, 0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), IN_LOADER, false, false },
	{ ANY(pwrite64), IN_LOADER | GATES, false, false },
	{ MAPPING(PROT_READ | PROT_EXEC, ANONYMOUS), GATES, false, false },
	{ CALL(mprotect, 0x4, 0, 0, PROT_READ | PROT_EXEC), GATES, true, false },
	{ CALL(mremap, 0x8, 0, 0, 0, MREMAP_MAYMOVE | MREMAP_FIXED), GATES, false, false },
};
/* clang-format on */

const size_t arch_own_call_count =
	sizeof(arch_own_calls) / sizeof(arch_own_calls[0]);

const struct seccomp_call arch_restart_call = {
	.arch = AUDIT_ARCH_X86_64,
	.nr = SYS_restart_syscall,
};
