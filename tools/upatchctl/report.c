/* SPDX-License-Identifier: MIT */
/* Chooses between text and JSON. */
#include "report.h"

#include "libupatch/error.h"
#include "report_json.h"
#include "report_text.h"

/* Takes over `json`; NULL stands for what jansson could not allocate. */
static int put_json(const struct report *report, json_t *json,
		    struct upatch_error *err)
{
	int dumped = -1;

	if (json)
		dumped = json_dumpf(json, report->out, JSON_COMPACT);
	json_decref(json);
	if (dumped != 0 && !ferror(report->out))
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "cannot compose JSON: out of memory");
	fputc('\n', report->out);
	return 0;
}

int report_outcome(const struct report *report,
		   const struct report_outcome *outcome,
		   struct upatch_error *err)
{
	if (report->is_json)
		return put_json(report, json_of_outcome(outcome), err);
	text_put_outcome(report->out, outcome);
	return 0;
}

int report_status(const struct report *report,
		  const struct upatch_status *status, struct upatch_error *err)
{
	if (report->is_json)
		return put_json(report, json_of_status(status), err);
	text_put_status(report->out, status);
	return 0;
}

int report_status_list(const struct report *report,
		       struct upatch_status *const *statuses, size_t count,
		       struct upatch_error *err)
{
	if (report->is_json)
		return put_json(report, json_of_status_list(statuses, count),
				err);
	text_put_status_list(report->out, statuses, count);
	return 0;
}

int report_log(const struct report *report, const struct upatch_log *log,
	       struct upatch_error *err)
{
	int code = 0;
	size_t i;

	if (!report->is_json) {
		text_put_log(report->out, log);
		return 0;
	}
	for (i = 0; i < log->entry_count && code == 0; i++)
		code = put_json(report, json_of_log_entry(&log->entries[i]),
				err);
	return code;
}

int report_check(const struct report *report, const struct upatch_check *check,
		 struct upatch_error *err)
{
	if (report->is_json)
		return put_json(report, json_of_check(check), err);
	text_put_check(report->out, check);
	return 0;
}

int report_info(const struct report *report, const struct upatch_info *info,
		struct upatch_error *err)
{
	if (report->is_json)
		return put_json(report, json_of_info(info), err);
	text_put_info(report->out, info);
	return 0;
}

int report_signature(const struct report *report,
		     const struct upatch_info *info, const char *path,
		     struct upatch_error *err)
{
	if (report->is_json)
		return put_json(report, json_of_signature(info, path), err);
	text_put_signature(report->out, info, path);
	return 0;
}

void report_failure(const struct report *report,
		    const struct upatch_error *failure)
{
	if (report->is_json)
		put_json(report, json_of_failure(failure), NULL);
}
