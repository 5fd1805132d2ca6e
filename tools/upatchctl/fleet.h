/* SPDX-License-Identifier: MIT */
/*
 * One command on every process that a selector means: each on its own, several
 * at a time, also those that begin meanwhile.
 */
#ifndef UPATCHCTL_FLEET_H
#define UPATCHCTL_FLEET_H

#include <upatch/upatch.h>

#include "command.h"

enum fleet_state {
	FLEET_WAITS, /* not looked at; in the end: not begun */
	FLEET_DONE,
	FLEET_UNCHANGED, /* there was nothing to do in it */
	FLEET_ENDED,	 /* it ended, or runs another program */
	FLEET_FAILED,
};

/* A process. */
struct fleet_member {
	struct upatch_process process;
	enum fleet_state state;
	unsigned int attempts;
	/* FLEET_FAILED: why */
	struct upatch_error *failure;
	/* what `run` left here: a result, a status …; or NULL */
	void *product;
};

struct fleet;

/* What is done with a process. */
struct fleet_work {
	/*
	 * Optional, and without effect: would `run` succeed?  Asked of every
	 * process before `run` is called for the first one.
	 */
	int (*check)(struct upatch_target *target,
		     const struct upatch_options *options, void *user,
		     struct upatch_error *err);
	int (*run)(struct upatch_target *target,
		   const struct upatch_options *options, void *user,
		   void **ret_product, struct upatch_error *err);
	/*
	 * A failure that means that there is nothing to do in this process; or
	 * 0.  Optional: is it so here?
	 */
	enum upatch_error_code unchanged_code;
	bool (*is_unchanged)(struct upatch_target *target, void *user);
	/*
	 * NULL, or what no process has where there was nothing to do in any of
	 * them: that is a failure.
	 */
	const char *missing;
	void (*free_product)(void *product);
	void *user;
	/* processes that begin meanwhile are not looked for */
	bool is_once;
};

struct fleet {
	const char *selector;
	const struct fleet_work *work;
	struct fleet_member *members;
	size_t count;
	/* no process was touched, as `check` of one or several failed */
	bool is_refused;
	double seconds;
};

/*
 * Returns 0 also where processes have failed; see the members.  Release with
 * fleet_free, also after a failure.
 */
UPATCH_MUST_CHECK int fleet_run(struct fleet *fleet, const char *selector,
				const struct fleet_work *work,
				const struct arguments *arguments,
				struct upatch_error *err);
void fleet_free(struct fleet *fleet);

size_t fleet_count(const struct fleet *fleet, enum fleet_state state);

/*
 * 0, or why the command as a whole has failed: of the processes that failed
 * the one with the highest exit status decides.  `what` was to be done to
 * each: "apply fix".
 */
UPATCH_MUST_CHECK int fleet_judge(const struct fleet *fleet, const char *what,
				  struct upatch_error *err);

#endif
