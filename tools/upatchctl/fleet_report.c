/* SPDX-License-Identifier: MIT */
/* What is told of a command on many processes. */
#include "fleet_report.h"

#include "libupatch/error.h"
#include "printable.h"

/* --- JSON ------------------------------------------------------------- */

static json_t *json_of_left_out(const struct fleet_member *member,
				const char *result)
{
	return json_pack("{s:b, s:i, s:s}", "ok", member->state != FLEET_WAITS,
			 "pid", (int)member->process.pid, "result", result);
}

json_t *fleet_json_with_pid(json_t *json, const struct fleet_member *member)
{
	json_t *pid = json_integer(member->process.pid);

	if (json && json_object_set_new(json, "pid", pid) == 0)
		return json;
	json_decref(json);
	return NULL;
}

static json_t *json_of_failed(const struct fleet_member *member)
{
	const struct upatch_error no_memory = {
		.code = UPATCH_ERROR_NO_MEMORY,
		.message = "out of memory",
	};

	return fleet_json_with_pid(json_of_failure(member->failure
							   ? member->failure
							   : &no_memory),
				   member);
}

static json_t *json_of_member(const struct fleet_member *member,
			      const struct fleet_words *words)
{
	switch (member->state) {
	case FLEET_DONE:
		return words->json_of_product(member, words);
	case FLEET_UNCHANGED:
		return json_of_left_out(member, "unchanged");
	case FLEET_ENDED:
		return json_of_left_out(member, "ended");
	case FLEET_FAILED:
		return member->product ? words->json_of_product(member, words)
				       : json_of_failed(member);
	case FLEET_WAITS:
	default:
		return json_of_left_out(member, "not begun");
	}
}

json_t *fleet_json_of_result(const struct fleet_member *member,
			     const struct fleet_words *words)
{
	const struct upatch_result *result = member->product;
	const struct report_outcome outcome = {
		.done = words->done,
		.pid = member->process.pid,
		.patch = result->patch,
		.dry_run = words->dry_run,
		.result = result,
	};

	return json_of_outcome(&outcome);
}

/* An answer to a question is about those that were asked and were there. */
static bool is_told(const struct fleet_member *member,
		    const struct fleet_words *words)
{
	return !words->is_silent_unless_done || member->state == FLEET_DONE ||
	       member->state == FLEET_FAILED;
}

static int put_line(const struct report *report, const json_t *json)
{
	int failed = json ? json_dumpf(json, report->out, JSON_COMPACT) : -1;

	fputc('\n', report->out);
	return failed;
}

static int report_no_memory(const struct report *report,
			    struct upatch_error *err)
{
	if (ferror(report->out))
		return 0;
	return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
			 "cannot compose JSON: out of memory");
}

static int put_lines(const struct report *report, const struct fleet *fleet,
		     const struct fleet_words *words, struct upatch_error *err)
{
	int failed = 0;

	for (size_t i = 0; failed == 0 && i < fleet->count; i++) {
		json_t *json;
		size_t lines;

		if (!is_told(&fleet->members[i], words))
			continue;
		json = json_of_member(&fleet->members[i], words);
		lines = json_array_size(json);
		if (!json_is_array(json))
			failed = put_line(report, json);
		for (size_t j = 0; failed == 0 && j < lines; j++)
			failed = put_line(report, json_array_get(json, j));
		json_decref(json);
	}
	return failed == 0 ? 0 : report_no_memory(report, err);
}

static int put_array(const struct report *report, const struct fleet *fleet,
		     const struct fleet_words *words, struct upatch_error *err)
{
	json_t *array = json_array();
	int failed = array ? 0 : -1;

	for (size_t i = 0; failed == 0 && i < fleet->count; i++) {
		if (!is_told(&fleet->members[i], words))
			continue;
		failed =
			json_array_append_new(array,
					      json_of_member(&fleet->members[i],
							     words));
	}
	if (failed == 0)
		failed = put_line(report, array);
	json_decref(array);
	return failed == 0 ? 0 : report_no_memory(report, err);
}

/* --- Text ------------------------------------------------------------- */

static void put_member(FILE *out, const struct fleet_member *member,
		       const struct fleet_words *words)
{
	if (member->state == FLEET_DONE && words->text_of_product)
		words->text_of_product(out, member, words);
	if (member->state != FLEET_FAILED || !member->failure)
		return;
	fprintf(out, "process %d: ", (int)member->process.pid);
	printable_put(out, member->failure->message);
	fputc('\n', out);
}

static void put_count(FILE *out, const struct fleet *fleet,
		      enum fleet_state state, const char *what)
{
	size_t count = fleet_count(fleet, state);

	if (count > 0)
		fprintf(out, "; %zu %s", count, what);
}

static void put_summary(FILE *out, const struct fleet *fleet,
			const struct fleet_words *words)
{
	fprintf(out, "%s ", words->done);
	if (words->patch) {
		printable_put(out, words->patch);
		fputc(' ', out);
	}
	fprintf(out, "in %zu of %zu processes, %.1f s",
		fleet_count(fleet, FLEET_DONE), fleet->count, fleet->seconds);
	put_count(out, fleet, FLEET_UNCHANGED, "unchanged");
	put_count(out, fleet, FLEET_ENDED, "ended meanwhile");
	put_count(out, fleet, FLEET_FAILED, "failed");
	put_count(out, fleet, FLEET_WAITS, "not begun");
	fputc('\n', out);
}

static int tell(const struct report *report, const struct fleet *fleet,
		const struct fleet_words *words, struct upatch_error *err)
{
	if (report->is_json && words->is_lines)
		return put_lines(report, fleet, words, err);
	if (report->is_json)
		return put_array(report, fleet, words, err);
	for (size_t i = 0; i < fleet->count; i++)
		put_member(report->out, &fleet->members[i], words);
	if (!words->is_list)
		put_summary(report->out, fleet, words);
	return 0;
}

int fleet_run_and_report(const char *selector, const struct fleet_work *work,
			 const struct fleet_words *words,
			 const struct arguments *arguments,
			 const struct report *report, struct upatch_error *err)
{
	struct fleet fleet;
	int code = fleet_run(&fleet, selector, work, arguments, err);

	if (code == 0)
		code = tell(report, &fleet, words, err);
	if (code == 0)
		code = fleet_judge(&fleet, words->what, err);
	fleet_free(&fleet);
	return code;
}
