/* SPDX-License-Identifier: MIT */
/*
 * fail_call N VARIANT COMMAND...: the N-th system call that can fail, of all
 * its threads, fails; VARIANT chooses among the errors, "short": a read or
 * write is cut short.  What was done is written to UPATCH_FAIL_REPORT.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAILED	    98
#define MAX_ERRORS  4
#define MAX_THREADS 64

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

enum {
	/* the length is the third argument, and may be answered in part */
	HAS_LENGTH = 1,
	/* it has its effect and reports an error all the same */
	HAS_EFFECT = 2
};

/*
 * Calls that can fail through no fault of the caller.  Those that wait and are
 * made again until something has happened are not counted: their number
 * differs from run to run.
 */
static const struct call {
	long number;
	const char *name;
	int errors[MAX_ERRORS];
	int flags;
} calls[] = {
	{ SYS_read, "read", { EIO, EINTR }, HAS_LENGTH },
	{ SYS_pread64, "pread", { EIO, EINTR }, HAS_LENGTH },
	{ SYS_process_vm_readv, "process_vm_readv", { ENOMEM, EPERM }, 0 },
	{ SYS_write, "write", { EIO, ENOSPC, EINTR }, HAS_LENGTH },
	{ SYS_pwrite64, "pwrite", { EIO, EINTR }, HAS_LENGTH },
	{ SYS_open, "open", { EMFILE, ENOMEM, EACCES }, 0 },
	{ SYS_openat, "openat", { EMFILE, ENOMEM, EACCES }, 0 },
	{ SYS_close, "close", { EIO, EINTR }, HAS_EFFECT },
	{ SYS_fstat, "fstat", { ENOMEM, EIO }, 0 },
	{ SYS_stat, "stat", { ENOMEM, EACCES }, 0 },
	{ SYS_lstat, "lstat", { ENOMEM, EACCES }, 0 },
	{ SYS_newfstatat, "newfstatat", { ENOMEM, EACCES }, 0 },
	{ SYS_statx, "statx", { ENOMEM, EACCES }, 0 },
	{ SYS_access, "access", { EACCES }, 0 },
	{ SYS_readlink, "readlink", { ENOMEM, EACCES }, 0 },
	{ SYS_readlinkat, "readlinkat", { ENOMEM, EACCES }, 0 },
	{ SYS_getdents64, "getdents64", { EIO, ENOENT }, 0 },
	{ SYS_getcwd, "getcwd", { ENOMEM, ENOENT }, 0 },
	{ SYS_mmap, "mmap", { ENOMEM }, 0 },
	{ SYS_mremap, "mremap", { ENOMEM }, 0 },
	{ SYS_mprotect, "mprotect", { ENOMEM }, 0 },
	{ SYS_munmap, "munmap", { ENOMEM }, 0 },
	{ SYS_memfd_create, "memfd_create", { EMFILE, ENOMEM }, 0 },
	{ SYS_fcntl, "fcntl", { EPERM, EBUSY }, 0 },
	{ SYS_ftruncate, "ftruncate", { ENOMEM, EINTR }, 0 },
	{ SYS_ioctl, "ioctl", { ENOTTY }, 0 },
	{ SYS_dup, "dup", { EMFILE }, 0 },
	{ SYS_clone, "clone", { EAGAIN, ENOMEM }, 0 },
	{ SYS_clone3, "clone3", { EAGAIN, ENOMEM }, 0 },
	{ SYS_ptrace, "ptrace", { EIO, ESRCH, EPERM }, 0 },
	{ SYS_poll, "poll", { EINTR, ENOMEM }, 0 },
	{ SYS_ppoll, "ppoll", { EINTR, ENOMEM }, 0 },
	{ SYS_sendmsg, "sendmsg", { ENOBUFS, EPIPE, EINTR }, 0 },
	{ SYS_sendto, "sendto", { ENOBUFS, EPIPE, EINTR }, 0 },
	{ SYS_recvmsg, "recvmsg", { ENOMEM, ECONNRESET, EINTR }, 0 },
	{ SYS_recvfrom, "recvfrom", { ENOMEM, ECONNRESET, EINTR }, 0 },
	{ SYS_socket, "socket", { EMFILE, ENOMEM }, 0 },
	{ SYS_connect, "connect", { ECONNREFUSED }, 0 },
	{ SYS_pidfd_open, "pidfd_open", { EMFILE, ENOMEM }, 0 },
	{ SYS_pidfd_getfd, "pidfd_getfd", { EMFILE, EPERM }, 0 },
	{ SYS_setpriority, "setpriority", { EPERM }, 0 },
	{ SYS_sched_setscheduler, "sched_setscheduler", { EPERM }, 0 },
	{ SYS_sched_setaffinity, "sched_setaffinity", { EINVAL }, 0 },
	{ SYS_prctl, "prctl", { EINVAL }, 0 },
	{ SYS_sysinfo, "sysinfo", { EFAULT }, 0 },
	{ SYS_prlimit64, "prlimit64", { EPERM }, 0 },
};

static struct {
	unsigned long fail_at, count;
	bool is_short;
	unsigned long variant;
	FILE *report;
	/* the thread whose call is to be given a result when it returns */
	pid_t failing_tid;
	long result;
} fault;

/* Whose next system call stop is a return. */
static struct {
	pid_t tid;
	bool is_inside;
} threads[MAX_THREADS];

static bool *is_inside(pid_t tid)
{
	size_t i = 0;

	while (i + 1 < MAX_THREADS && threads[i].tid && threads[i].tid != tid)
		i++;
	threads[i].tid = tid;
	return &threads[i].is_inside;
}

static const struct call *find_call(long number)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (calls[i].number == number)
			return &calls[i];
	}
	return NULL;
}

static int choose_error(const struct call *call)
{
	size_t count = 0;

	while (count < MAX_ERRORS && call->errors[count])
		count++;
	return call->errors[fault.variant % count];
}

static void report(const struct user_regs_struct *regs, const char *name,
		   const char *how)
{
	if (!fault.report)
		return;
	fprintf(fault.report, "failed\n%s(%lld, %lld, 0x%llx, %lld): %s\n",
		name, regs->rdi, regs->rsi, regs->rdx, regs->r10, how);
	fflush(fault.report);
}

static bool can_be_short(const struct call *call,
			 const struct user_regs_struct *regs)
{
	return call->flags & HAS_LENGTH && regs->rdx >= 2;
}

static void cut_short(pid_t tid, const struct call *call,
		      struct user_regs_struct *regs)
{
	regs->rdx /= 2;
	ptrace(PTRACE_SETREGS, tid, NULL, regs);
	report(regs, call->name, "cut short");
}

static void make_fail(pid_t tid, const struct call *call,
		      struct user_regs_struct *regs)
{
	int error = choose_error(call);

	report(regs, call->name, strerror(error));
	fault.failing_tid = tid;
	fault.result = -error;
	if (call->flags & HAS_EFFECT)
		return;
	regs->orig_rax = (unsigned long long)-1;
	ptrace(PTRACE_SETREGS, tid, NULL, regs);
}

static void at_entry(pid_t tid)
{
	struct user_regs_struct regs;
	const struct call *call;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs))
		return;
	call = find_call((long)regs.orig_rax);
	if (!call || (fault.is_short && !can_be_short(call, &regs)) ||
	    ++fault.count != fault.fail_at)
		return;
	if (fault.is_short)
		cut_short(tid, call, &regs);
	else
		make_fail(tid, call, &regs);
}

static void at_return(pid_t tid)
{
	struct user_regs_struct regs;

	if (tid != fault.failing_tid ||
	    ptrace(PTRACE_GETREGS, tid, NULL, &regs))
		return;
	fault.failing_tid = 0;
	regs.rax = (unsigned long long)fault.result;
	ptrace(PTRACE_SETREGS, tid, NULL, &regs);
}

static void at_stop(pid_t tid)
{
	bool *inside = is_inside(tid);

	if (*inside)
		at_return(tid);
	else
		at_entry(tid);
	*inside = !*inside;
}

static void resume(pid_t tid, int status)
{
	int signal = WSTOPSIG(status);

	/* A trap is ours, the first stop of a thread too. */
	if (signal == (SIGTRAP | 0x80) || signal == SIGTRAP ||
	    signal == SIGSTOP)
		signal = 0;
	ptrace(PTRACE_SYSCALL, tid, NULL, (void *)(long)signal);
}

static int end_of(int status)
{
	/* As shells report it. */
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run(pid_t pid)
{
	int status;
	pid_t tid;

	while ((tid = waitpid(-1, &status, __WALL)) > 0) {
		if (!WIFSTOPPED(status)) {
			if (tid == pid)
				return end_of(status);
			continue;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			at_stop(tid);
		resume(tid, status);
	}
	return FAILED;
}

/* Where the program begins, behind the dynamic linker. */
static unsigned long entry_point(pid_t pid)
{
	Elf64_auxv_t entry;
	unsigned long addr = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	file = fopen(path, "re");
	while (file && fread(&entry, sizeof(entry), 1, file) == 1) {
		if (entry.a_type == AT_ENTRY)
			addr = entry.a_un.a_val;
	}
	if (file)
		fclose(file);
	return addr;
}

/* What the dynamic linker does is not what is tried. */
static bool run_to_entry(pid_t pid)
{
	const unsigned long trap = 0xcc;
	unsigned long addr = entry_point(pid);
	struct user_regs_struct regs;
	long word;
	int status;

	errno = 0;
	word = ptrace(PTRACE_PEEKTEXT, pid, (void *)addr, NULL);
	if (errno ||
	    ptrace(PTRACE_POKETEXT, pid, (void *)addr,
		   (void *)(((unsigned long)word & ~0xfful) | trap)) ||
	    ptrace(PTRACE_CONT, pid, NULL, NULL) ||
	    waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_POKETEXT, pid, (void *)addr, (void *)word) ||
	    ptrace(PTRACE_GETREGS, pid, NULL, &regs))
		return false;
	regs.rip = addr;
	return !ptrace(PTRACE_SETREGS, pid, NULL, &regs);
}

static void start(char *argv[])
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(FAILED);
	execvp(argv[0], argv);
	_exit(FAILED);
}

static int trace(pid_t pid)
{
	const long options =
		PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    !run_to_entry(pid) ||
	    ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)options) ||
	    ptrace(PTRACE_SYSCALL, pid, NULL, NULL))
		return FAILED;
	return run(pid);
}

int main(int argc, char *argv[])
{
	const char *path = getenv("UPATCH_FAIL_REPORT");
	int exit_status;
	pid_t pid;

	if (argc < 4)
		return FAILED;
	fault.fail_at = strtoul(argv[1], NULL, 10);
	fault.is_short = strcmp(argv[2], "short") == 0;
	fault.variant = strtoul(argv[2], NULL, 10);
	fault.report = path ? fopen(path, "we") : NULL;
	pid = fork();
	if (pid == 0)
		start(argv + 3);
	exit_status = trace(pid);
	if (fault.report)
		fprintf(fault.report, "counted %lu\n", fault.count);
	return exit_status;
}
