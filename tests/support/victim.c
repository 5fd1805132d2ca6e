/* SPDX-License-Identifier: MIT */
/*
 * Talking to victims.
 */
#include "victim.h"

#include "deadline.h"
#include "paths.h"
#include "procfs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define MAX_ARGS     96
#define END_LIMIT_MS 1000

void victim_start(struct victim *victim, const char *const args[])
{
	const char *argv[MAX_ARGS + 1];
	const char *line;
	size_t count;

	for (count = 0; args[count] != NULL && count < MAX_ARGS; count++)
		argv[count] = args[count];
	if (args[count] != NULL)
		cr_fatal("more than %d arguments for %s", MAX_ARGS, args[0]);
	argv[count] = NULL;
	if (strchr(args[0], '/') == NULL)
		argv[0] = path_of_victim(args[0]);
	child_start(&victim->child, argv, 0);
	victim->pid = victim->child.pid;
	snprintf(victim->target, sizeof(victim->target), "%d", victim->pid);
	line = child_read_line(&victim->child, DEADLINE_MS);
	if (line == NULL || strcmp(line, "ready") != 0)
		cr_fatal("victim %s said '%s' in place of 'ready'", args[0],
			 line != NULL ? line : "nothing");
}

struct end {
	pid_t pid;
	siginfo_t info;
};

static bool has_ended(void *arg)
{
	struct end *end = arg;

	return waitid(P_PID, (id_t)end->pid, &end->info,
		      WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       end->info.si_pid != 0;
}

/* Its pipes are closed some time before it can be waited for. */
static const char *describe_end(struct victim *victim)
{
	static char text[64];
	struct end end = { .pid = victim->pid };

	if (!wait_until(has_ended, &end, END_LIMIT_MS))
		return "it still runs";
	snprintf(text, sizeof(text), "it %s %d",
		 end.info.si_code == CLD_EXITED ? "exited with"
						: "was killed by signal",
		 end.info.si_status);
	return text;
}

const char *victim_ask(struct victim *victim, const char *command)
{
	const char *line = NULL;

	if (child_send(&victim->child, command))
		line = child_read_line(&victim->child, DEADLINE_MS);
	if (line == NULL)
		cr_fatal("victim %d does not answer '%s'; %s", victim->pid,
			 command, describe_end(victim));
	return line;
}

void victim_expect(struct victim *victim, const char *command,
		   const char *answer)
{
	const char *line = victim_ask(victim, command);

	if (strcmp(line, answer) != 0)
		cr_fatal("victim answers '%s' to '%s', expected '%s'", line,
			 command, answer);
}

void victim_expect_line(struct victim *victim, const char *expected)
{
	const char *line = child_read_line(&victim->child, DEADLINE_MS);

	if (line == NULL)
		cr_fatal("victim does not say '%s'; %s", expected,
			 describe_end(victim));
	if (strcmp(line, expected) != 0)
		cr_fatal("victim says '%s', expected '%s'", line, expected);
}

long victim_number(const char *answer, const char *name)
{
	size_t len = strlen(name);
	const char *at;

	for (at = answer; at != NULL && *at != '\0';
	     at = strchr(at, ' '), at = at != NULL ? at + 1 : NULL) {
		if (strncmp(at, name, len) == 0 && at[len] == '=')
			return strtol(at + len + 1, NULL, 10);
	}
	cr_fatal("no %s= in '%s'", name, answer);
	return 0;
}

static bool is_running(void *arg)
{
	const pid_t *pid = arg;

	return procfs_no_thread_is_stopped(*pid);
}

void victim_check_undisturbed(const struct victim *victim)
{
	pid_t pid = victim->pid;

	if (procfs_tracer(victim->pid) != 0)
		cr_fatal("victim %d is still traced", victim->pid);
	if (!wait_until(is_running, &pid, DEADLINE_MS))
		cr_fatal("victim %d is left stopped", victim->pid);
}

void victim_stop(struct victim *victim)
{
	pid_t pid = victim->pid;
	int status = child_stop(&victim->child, DEADLINE_MS);

	if (WIFSIGNALED(status))
		cr_fatal("victim %d was killed by signal %d", pid,
			 WTERMSIG(status));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		cr_fatal("victim %d exited with %d", pid, WEXITSTATUS(status));
}

void require_ptrace(void)
{
	const char *const argv[] = { "cat", NULL };
	struct child child;
	int error = 0;

	child_start(&child, argv, 0);
	if (ptrace(PTRACE_SEIZE, child.pid, 0, 0) != 0)
		error = errno;
	else if (ptrace(PTRACE_INTERRUPT, child.pid, 0, 0) == 0 &&
		 waitpid(child.pid, NULL, 0) == child.pid)
		ptrace(PTRACE_DETACH, child.pid, 0, 0);
	child_stop(&child, DEADLINE_MS);
	if (error != 0)
		cr_skip("ptrace is not permitted here: %s", strerror(error));
}
