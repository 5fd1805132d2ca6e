/* SPDX-License-Identifier: MIT */
/*
 * What upatchctl tells, as JSON.  Each function returns a new object with its
 * members in the documented order, or NULL when memory is out.
 */
#ifndef UPATCHCTL_REPORT_JSON_H
#define UPATCHCTL_REPORT_JSON_H

#include <jansson.h>

#include "report.h"

json_t *json_of_outcome(const struct report_outcome *outcome);
json_t *json_of_failure(const struct upatch_error *failure);
json_t *json_of_status(const struct upatch_status *status);
json_t *json_of_status_list(struct upatch_status *const *statuses,
			    size_t count);
json_t *json_of_log_entry(const struct upatch_log_entry *entry);
json_t *json_of_check(const struct upatch_check *check);
json_t *json_of_info(const struct upatch_info *info);
json_t *json_of_signature(const struct upatch_info *info, const char *path);

#endif
