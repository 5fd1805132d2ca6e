/* SPDX-License-Identifier: MIT */
/* Whether the caller wants an operation to end: upatch_options.interrupted. */
#ifndef UPATCH_ASKED_H
#define UPATCH_ASKED_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

struct asked {
	bool (*interrupted)(void *user); /* NULL: nobody ever asks */
	void *user;
	/* what is under way is an undo, or too late to be undone */
	bool is_ignored;
};

/* Often asked for: by everything that waits, several times a second. */
#define ASKED_LOOK_NS 20000000UL

static inline bool asked_to_stop(const struct asked *asked)
{
	return asked && asked->interrupted && !asked->is_ignored &&
	       asked->interrupted(asked->user);
}

/* What has become of the process is appended where it is known. */
static inline int asked_report(struct upatch_error *err)
{
	return error_set(err, UPATCH_ERROR_INTERRUPTED, 0, "interrupted");
}

#endif
