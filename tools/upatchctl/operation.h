/* SPDX-License-Identifier: MIT */
/* What the commands that change a process have in common. */
#ifndef UPATCHCTL_OPERATION_H
#define UPATCHCTL_OPERATION_H

#include "command.h"
#include "console.h"

struct operation {
	struct upatch_target *target;
	struct upatch_options options;
	struct upatch_result result;
	struct console console;
};

/*
 * Opens the target that the first operand names, begins to catch Ctrl-C and
 * to show progress.  After success operation_fini is owed.
 */
UPATCH_MUST_CHECK int operation_init(struct operation *operation,
				     const struct arguments *arguments,
				     struct upatch_error *err);
void operation_fini(struct operation *operation);

/* Tells syslog what became of it; not of a dry run.  `info` may be NULL. */
void operation_audit(const struct operation *operation, const char *command,
		     const struct upatch_info *info, int code,
		     const struct upatch_error *err);

/* Where the operation works on the transition that is running. */
typedef int (*operation_on_transition)(struct upatch_target *target,
				       const struct upatch_options *options,
				       struct upatch_result *ret_result,
				       struct upatch_error *err);

struct operation_kind {
	operation_on_transition drive;
	const char *command; /* "wait" */
	const char *verb;    /* "finish" */
	const char *done;    /* as in struct report_outcome */
	/* of many processes one at least has to have a transition */
	bool needs_one;
	/* those that begin meanwhile are left alone */
	bool is_once;
};

/* The whole of such a command, for one process or many. */
UPATCH_MUST_CHECK int operation_run(const struct operation_kind *kind,
				    const struct arguments *arguments,
				    const struct report *report,
				    struct upatch_error *err);

#endif
