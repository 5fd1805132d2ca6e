/* SPDX-License-Identifier: MIT */
/* What a check finds: problems, each with its code, and notes. */
#ifndef UPATCH_FINDINGS_H
#define UPATCH_FINDINGS_H

#include <stddef.h>

#include "error.h"

struct findings {
	char **problems;
	enum upatch_error_code *codes;
	size_t problem_count;
	char **notes;
	size_t note_count;
};

/* False: out of memory. */
bool findings_add_problem(struct findings *findings,
			  const struct upatch_error *problem);
__attribute__((format(printf, 2, 3))) bool
findings_add_note(struct findings *findings, const char *format, ...);
void findings_free(struct findings *findings);

/* All problems in one message, with the code of the first; 0: there is none. */
int findings_report(const struct findings *findings, struct upatch_error *err);

#endif
