/* SPDX-License-Identifier: MIT */
/* All that upatchctl tells on stdout, for people or as JSON. */
#ifndef UPATCHCTL_REPORT_H
#define UPATCHCTL_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include <upatch/upatch.h>

struct report {
	FILE *out;
	bool is_json;
};

/* What a command that changes a process did. */
struct report_outcome {
	const char *done; /* "applied", "reverted" … */
	pid_t pid;
	const char *patch; /* NULL or "": no transition was running */
	bool dry_run;
	const struct upatch_result *result;
};

/*
 * Each returns 0, or UPATCH_ERROR_NO_MEMORY where the JSON could not be
 * composed.  That the text could not be kept shows in ferror(report->out).
 */
UPATCH_MUST_CHECK int report_outcome(const struct report *report,
				     const struct report_outcome *outcome,
				     struct upatch_error *err);
UPATCH_MUST_CHECK int report_status(const struct report *report,
				    const struct upatch_status *status,
				    struct upatch_error *err);
/* The statuses of several processes; none is an answer, too. */
UPATCH_MUST_CHECK int report_status_list(const struct report *report,
					 struct upatch_status *const *statuses,
					 size_t count,
					 struct upatch_error *err);
UPATCH_MUST_CHECK int report_log(const struct report *report,
				 const struct upatch_log *log,
				 struct upatch_error *err);
UPATCH_MUST_CHECK int report_check(const struct report *report,
				   const struct upatch_check *check,
				   struct upatch_error *err);
UPATCH_MUST_CHECK int report_info(const struct report *report,
				  const struct upatch_info *info,
				  struct upatch_error *err);

/* The signature of a patch was written to `path`. */
UPATCH_MUST_CHECK int report_signature(const struct report *report,
				       const struct upatch_info *info,
				       const char *path,
				       struct upatch_error *err);

/* JSON only: in text, the line on stderr says it all. */
void report_failure(const struct report *report,
		    const struct upatch_error *failure);

#endif
