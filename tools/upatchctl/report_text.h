/* SPDX-License-Identifier: MIT */
/* What upatchctl tells, for people. */
#ifndef UPATCHCTL_REPORT_TEXT_H
#define UPATCHCTL_REPORT_TEXT_H

#include "report.h"

void text_put_outcome(FILE *out, const struct report_outcome *outcome);
void text_put_status(FILE *out, const struct upatch_status *status);
void text_put_status_list(FILE *out, struct upatch_status *const *statuses,
			  size_t count);
void text_put_log(FILE *out, const struct upatch_log *log);
void text_put_check(FILE *out, const struct upatch_check *check);
void text_put_info(FILE *out, const struct upatch_info *info);
void text_put_signature(FILE *out, const struct upatch_info *info,
			const char *path);
/* The names that a function has besides the one the patch uses. */
void text_put_aliases(FILE *out, const struct upatch_check_func *func);

/* One line without a newline. */
void text_put_progress(FILE *out, const struct upatch_progress *progress);

#endif
