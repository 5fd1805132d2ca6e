/* SPDX-License-Identifier: MIT */
/* What is told of a command on many processes. */
#ifndef UPATCHCTL_FLEET_REPORT_H
#define UPATCHCTL_FLEET_REPORT_H

#include "fleet.h"
#include "report_json.h"

/* How each kind of product is told. */
struct fleet_words {
	const char *what;  /* as fleet_judge has it */
	const char *done;  /* "applied" */
	const char *patch; /* NULL: none, or not the same everywhere */
	/* an object; of a log an array of objects */
	json_t *(*json_of_product)(const struct fleet_member *member,
				   const struct fleet_words *words);
	/* Optional: what stands above the summary for a process. */
	void (*text_of_product)(FILE *out, const struct fleet_member *member,
				const struct fleet_words *words);
	bool dry_run;
	/* there is no summary, and in JSON each object stands on a line */
	bool is_list, is_lines;
	/* nor is there anything in JSON for those that have nothing to show */
	bool is_silent_unless_done;
};

/*
 * Does the work in all processes that the selector means, and tells of it.
 * JSON: an array, one object per process.  Text: a line per process that
 * failed, and a summary.
 */
UPATCH_MUST_CHECK int fleet_run_and_report(const char *selector,
					   const struct fleet_work *work,
					   const struct fleet_words *words,
					   const struct arguments *arguments,
					   const struct report *report,
					   struct upatch_error *err);

/* Adds a member "pid" to an object; NULL: out of memory. */
json_t *fleet_json_with_pid(json_t *json, const struct fleet_member *member);

/* For products that are a struct upatch_result. */
json_t *fleet_json_of_result(const struct fleet_member *member,
			     const struct fleet_words *words);

#endif
