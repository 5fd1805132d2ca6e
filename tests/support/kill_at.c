/* SPDX-License-Identifier: MIT */
/*
 * kill_at N COMMAND...: SIGKILL at the N-th system call stop (entries and
 * returns) of all its threads.  Exits with KILLED, or as the command did.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLED 99
#define FAILED 98

static void start(char *argv[])
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(FAILED);
	raise(SIGSTOP);
	execvp(argv[0], argv);
	_exit(FAILED);
}

/* Waits until every thread is gone. */
static int end_of(pid_t pid)
{
	int status, last = 0;
	pid_t tid;

	while ((tid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status))
			ptrace(PTRACE_CONT, tid, NULL, NULL);
		else if (tid == pid)
			last = status;
	}
	return WIFEXITED(last) ? WEXITSTATUS(last) : KILLED;
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

static int run(pid_t pid, unsigned long kill_at)
{
	unsigned long count = 0;
	int status;
	pid_t tid;

	while ((tid = waitpid(-1, &status, __WALL)) > 0) {
		if (!WIFSTOPPED(status)) {
			if (tid == pid)
				return WIFEXITED(status) ? WEXITSTATUS(status)
							 : KILLED;
			continue;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80) &&
		    ++count == kill_at) {
			kill(pid, SIGKILL);
			return end_of(pid);
		}
		resume(tid, status);
	}
	return FAILED;
}

int main(int argc, char *argv[])
{
	const long options =
		PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
	int status;
	pid_t pid;

	if (argc < 3)
		return FAILED;
	pid = fork();
	if (pid == 0)
		start(argv + 2);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)options) ||
	    ptrace(PTRACE_SYSCALL, pid, NULL, NULL))
		return FAILED;
	return run(pid, strtoul(argv[1], NULL, 10));
}
