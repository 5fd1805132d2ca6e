/* SPDX-License-Identifier: MIT */
/*
 * Runs of upatchctl in which one allocation or system call fails: of its own,
 * of the thread that it borrows, or of the agent.
 */
#ifndef SUPPORT_FAULTS_H
#define SUPPORT_FAULTS_H

#include "upatchctl.h"

enum fault_kind {
	FAULT_ALLOC,	/* fail_alloc.c */
	FAULT_ALLOC_ON, /* this one and all later ones */
	FAULT_CALL,	/* fail_call.c */
	FAULT_SHORT,	/* a read or write is cut short */
	FAULT_HOST,	/* faulty.c */
	FAULT_AGENT,	/* fail_inside.c: in a victim of faults_start_victim */
};

/* The at-th one; 0: none, they are counted. */
struct fault {
	enum fault_kind kind;
	unsigned int at;
	/* which of the errors that the call can have */
	unsigned int variant;
};

struct faulty_run {
	struct run run;
	/* how many there were, as far as is known */
	unsigned int count;
	/* what has failed; "": there is no at-th one */
	char what[256];
};

/* A place for reports; fails the test if there is none. */
void faults_open(void);
void faults_close(void);
struct faulty_run faults_run(const struct fault *fault,
			     const char *const args[]);

struct victim;
/* One whose agent can be made to fail. */
void faults_start_victim(struct victim *victim, const char *const args[]);

#endif
