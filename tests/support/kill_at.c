/* SPDX-License-Identifier: MIT */
/*
 * Something happens at the N-th system call stop (entries and returns) of all
 * threads of a command.  Exits as the command did, or with KILLED.
 *
 * kill_at [-s STEPS] N COMMAND...: SIGKILL for the command, STEPS instructions
 *	behind the stop.
 * kill_at -t SIGNAL PID N COMMAND...: a signal for another process, which gets
 *	a moment for what it does then; the command goes on.
 * -c: the number of stops, as a last line on stdout.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLED 99
#define FAILED 98

#define MOMENT_US 4000

static unsigned long kill_at, steps;
static pid_t other;
static int other_signal;
static bool tells_count;

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

static void resume(pid_t tid, int status, bool step)
{
	int signal = WSTOPSIG(status);

	/* A trap is ours, the first stop of a thread too. */
	if (signal == (SIGTRAP | 0x80) || signal == SIGTRAP ||
	    signal == SIGSTOP)
		signal = 0;
	ptrace(step ? PTRACE_SINGLESTEP : PTRACE_SYSCALL, tid, NULL,
	       (void *)(long)signal);
}

static int run(pid_t pid)
{
	unsigned long count = 0;
	pid_t tid, stepping = 0;
	int status;

	while ((tid = waitpid(-1, &status, __WALL)) > 0) {
		if (!WIFSTOPPED(status)) {
			if (tid == stepping)
				stepping = 0;
			if (tid != pid)
				continue;
			if (tells_count)
				printf("%lu\n", count);
			return WIFEXITED(status) ? WEXITSTATUS(status) : KILLED;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80) &&
		    ++count == kill_at) {
			if (other) {
				kill(other, other_signal);
				usleep(MOMENT_US);
			} else {
				stepping = tid;
			}
		}
		if (tid == stepping && steps-- == 0) {
			kill(pid, SIGKILL);
			return end_of(pid);
		}
		resume(tid, status, tid == stepping);
	}
	return FAILED;
}

static char **parse(char *argv[])
{
	for (argv++; *argv && **argv == '-'; argv++) {
		if (!strcmp(*argv, "-c")) {
			tells_count = true;
		} else if (!strcmp(*argv, "-s") && argv[1]) {
			steps = strtoul(*++argv, NULL, 10);
		} else if (!strcmp(*argv, "-t") && argv[1] && argv[2]) {
			other_signal = (int)strtol(*++argv, NULL, 10);
			other = (pid_t)strtol(*++argv, NULL, 10);
		}
	}
	if (!argv[0] || !argv[1])
		exit(FAILED);
	kill_at = strtoul(argv[0], NULL, 10);
	return argv + 1;
}

int main(int argc, char *argv[])
{
	const long options =
		PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
	char **command;
	int status;
	pid_t pid;

	if (argc < 3)
		return FAILED;
	command = parse(argv);
	pid = fork();
	if (pid == 0)
		start(command);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)options) ||
	    ptrace(PTRACE_SYSCALL, pid, NULL, NULL))
		return FAILED;
	return run(pid);
}
