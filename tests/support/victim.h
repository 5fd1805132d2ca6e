/* SPDX-License-Identifier: MIT */
/*
 * A victim: one of the programs in tests/victims, which says "ready" and then
 * answers each command with one line.
 */
#ifndef SUPPORT_VICTIM_H
#define SUPPORT_VICTIM_H

#include "child.h"

struct victim {
	struct child child;
	pid_t pid;
	/* the pid as upatchctl wants it */
	char target[16];
};

/* VICTIM_START(&victim, "workers", "sleep", "8"): returns when it is ready. */
#define VICTIM_START(victim, ...)                                              \
	victim_start((victim), (const char *const[]){ __VA_ARGS__, NULL })
/*
 * args[0] is the victim's name.  An args[0] with a slash or a program of the
 * system is started as it is, so that setpriv(1) and the like can start one.
 */
void victim_start(struct victim *victim, const char *const args[]);

/* Sends `command`, returns the answer; fails the test if none comes. */
const char *victim_ask(struct victim *victim, const char *command);
/* Fails the test unless the answer to `command` is `answer`. */
void victim_expect(struct victim *victim, const char *command,
		   const char *answer);
/* Fails the test unless the next line, which nobody asked for, is `line`. */
void victim_expect_line(struct victim *victim, const char *line);
/* The number after "name=" in `answer`; fails the test if there is none. */
long victim_number(const char *answer, const char *name);

/* Still there, not stopped, not traced; else the test fails. */
void victim_check_undisturbed(const struct victim *victim);
/* Ends it; fails the test unless it exits with 0. */
void victim_stop(struct victim *victim);

/* Skips the test, with the reason, where this process may not trace. */
void require_ptrace(void);

#endif
