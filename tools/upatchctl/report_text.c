/* SPDX-License-Identifier: MIT */
/* What upatchctl tells, for people. */
#include "report_text.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "names.h"
#include "printable.h"

#define NS_PER_SEC UINT64_C(1000000000)
#define NS_PER_US  1000
#define NS_PER_MS  1e6
/* The longest name of an event: "callback_failed". */
#define EVENT_WIDTH 15

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

static void put_object(FILE *out, const char *name)
{
	printable_put(out, name ? name : "main executable");
}

/* The n-th function of a name is shown as name#n. */
static void put_func_name(FILE *out, const char *name, unsigned long sympos)
{
	printable_put(out, name);
	if (sympos > 1)
		fprintf(out, "#%lu", sympos);
}

/* --- Operations ------------------------------------------------------- */

void text_put_outcome(FILE *out, const struct report_outcome *outcome)
{
	const struct upatch_result *result = outcome->result;

	if (!outcome->patch || outcome->patch[0] == '\0') {
		fprintf(out, "no transition is running in process %d\n",
			(int)outcome->pid);
		return;
	}
	fprintf(out, "%s ", outcome->done);
	printable_put(out, outcome->patch);
	fprintf(out, " in process %d", (int)outcome->pid);
	if (outcome->dry_run) {
		fputc('\n', out);
		return;
	}
	fprintf(out, ": %u function%s, %u thread%s", result->func_count,
		plural(result->func_count), result->thread_count,
		plural(result->thread_count));
	fprintf(out, ", all stopped for %.3f ms, %.1f ms in total\n",
		(double)result->barrier_ns / NS_PER_MS,
		(double)result->total_ns / NS_PER_MS);
	if (result->parked)
		fprintf(out, "its code stays in memory; see upatchctl log %d\n",
			(int)outcome->pid);
}

void text_put_progress(FILE *out, const struct upatch_progress *progress)
{
	switch (progress->step) {
	case UPATCH_STEP_CHECK:
		fputs("checking", out);
		return;
	case UPATCH_STEP_INJECT:
		fputs("entering the process", out);
		return;
	case UPATCH_STEP_LOAD:
		fputs("loading the patch", out);
		return;
	case UPATCH_STEP_INSTALL:
		fputs("installing", out);
		return;
	case UPATCH_STEP_FINISH:
		fputs("finishing", out);
		return;
	case UPATCH_STEP_MOVE:
		break;
	}
	fprintf(out, "%u of %u threads moved", progress->moved_count,
		progress->thread_count);
	if (progress->blocking_tid == 0)
		return;
	fprintf(out, ", waiting for thread %d", (int)progress->blocking_tid);
	if (progress->blocking_function) {
		fputs(" in ", out);
		printable_put(out, progress->blocking_function);
	}
}

/* --- Status ----------------------------------------------------------- */

static void put_status_func(FILE *out, const struct upatch_status_func *func)
{
	fputs("      ", out);
	put_func_name(out, func->name, func->sympos);
	if (!func->patched) {
		fputs(": not patched\n", out);
		return;
	}
	fprintf(out,
		": 0x%" PRIx64 " (%" PRIu64 " bytes) -> 0x%" PRIx64 " (%" PRIu64
		" bytes)",
		func->old_addr, func->old_size, func->new_addr, func->new_size);
	if (func->shielded)
		fputs(", shielded", out);
	if (func->transition)
		fputs(", in transition", out);
	fputc('\n', out);
}

static void put_status_object(FILE *out,
			      const struct upatch_status_object *object)
{
	size_t i;

	fputs("    ", out);
	put_object(out, object->name);
	if (!object->loaded)
		fputs(": not loaded", out);
	else if (!object->patched)
		fputs(": not patched", out);
	fputc('\n', out);
	for (i = 0; i < object->func_count; i++)
		put_status_func(out, &object->funcs[i]);
}

static void put_status_patch(FILE *out, const struct upatch_status_patch *patch)
{
	size_t i;

	fprintf(out, "  %u. ", patch->stack_order);
	printable_put(out, patch->name);
	fprintf(out, ": %s", names_state(patch->state));
	if (patch->replace)
		fputs(", replace", out);
	if (patch->forced)
		fputs(", forced", out);
	if (patch->file) {
		fputs(", from ", out);
		printable_put(out, patch->file);
	}
	fputc('\n', out);
	for (i = 0; i < patch->object_count; i++)
		put_status_object(out, &patch->objects[i]);
}

static void put_blocking(FILE *out,
			 const struct upatch_status_blocking *blocking)
{
	const char *const *frame = blocking->backtrace;

	fprintf(out, "    thread %d (", (int)blocking->tid);
	printable_put(out, blocking->comm);
	fputs(") blocks: ", out);
	printable_put(out, blocking->reason);
	if (blocking->function) {
		fputc(' ', out);
		printable_put(out, blocking->function);
	}
	fputc('\n', out);
	for (; frame && *frame; frame++) {
		fputs("      ", out);
		printable_put(out, *frame);
		fputc('\n', out);
	}
}

static void put_transition(FILE *out,
			   const struct upatch_status_transition *transition)
{
	size_t i;

	fputs("  transition of ", out);
	printable_put(out, transition->patch);
	fprintf(out, ": %s, %u of %u threads moved\n",
		names_direction(transition->direction), transition->moved_count,
		transition->thread_count);
	for (i = 0; i < transition->blocking_count; i++)
		put_blocking(out, &transition->blocking[i]);
}

static void put_callback(FILE *out,
			 const struct upatch_status_callback *callback)
{
	fprintf(out, "  %s of ", callback->callback);
	put_object(out, callback->object);
	fprintf(out, ", %s, patch ", callback->phase);
	printable_put(out, callback->patch);
	fprintf(out, ", is running in thread %d\n", (int)callback->tid);
}

void text_put_status(FILE *out, const struct upatch_status *status)
{
	size_t i;

	/* A post_unpatch may outlast the patch that it belonged to. */
	if (status->patch_count == 0 && !status->transition &&
	    status->callback_count == 0) {
		fputs("no patches\n", out);
		return;
	}
	fprintf(out, "process %d, ", (int)status->pid);
	printable_put(out, status->exe ? status->exe : "unknown executable");
	fputc('\n', out);
	for (i = 0; i < status->patch_count; i++)
		put_status_patch(out, &status->patches[i]);
	if (status->transition)
		put_transition(out, status->transition);
	for (i = 0; i < status->callback_count; i++)
		put_callback(out, &status->callbacks[i]);
}

void text_put_status_list(FILE *out, struct upatch_status *const *statuses,
			  size_t count)
{
	size_t i;

	if (count == 0)
		fputs("no patches\n", out);
	for (i = 0; i < count; i++)
		text_put_status(out, statuses[i]);
}

/* --- Log -------------------------------------------------------------- */

static void put_time(FILE *out, uint64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / NS_PER_SEC);
	struct tm local;
	char text[32];

	if (!localtime_r(&seconds, &local)) {
		fprintf(out, "%" PRIu64 " ns", time_ns);
		return;
	}
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local);
	fprintf(out, "%s.%06" PRIu64, text, time_ns % NS_PER_SEC / NS_PER_US);
}

/* Between details; the first one stands in its column, *gap further right. */
static void put_gap(FILE *out, size_t *gap)
{
	if (*gap == 0) {
		fputs(", ", out);
		return;
	}
	fprintf(out, "%*s", (int)*gap, "");
	*gap = 0;
}

/* What the event is about: "pre_patch, libz.so.1, live, returned -19". */
static void put_details(FILE *out, const struct upatch_log_entry *entry,
			size_t gap)
{
	if (entry->has_callback && entry->callback) {
		put_gap(out, &gap);
		printable_put(out, entry->callback);
	}
	if (entry->has_object) {
		put_gap(out, &gap);
		put_object(out, entry->object);
	}
	if (entry->phase) {
		put_gap(out, &gap);
		printable_put(out, entry->phase);
	}
	if (entry->has_ret) {
		put_gap(out, &gap);
		fprintf(out, "returned %d", entry->ret);
	}
	if (entry->has_direction) {
		put_gap(out, &gap);
		fputs(names_direction(entry->direction), out);
	}
	if (entry->detail) {
		put_gap(out, &gap);
		printable_put(out, entry->detail);
	}
}

static const char *entry_patch(const struct upatch_log_entry *entry)
{
	return entry->patch ? entry->patch : "-";
}

static size_t max_size(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* `width` is that of the column of patches. */
static void put_log_entry(FILE *out, const struct upatch_log_entry *entry,
			  size_t width)
{
	const char *event = upatch_event_name(entry->event);
	const char *patch = entry_patch(entry);

	fprintf(out, "%4" PRIu64 "  ", entry->seq);
	put_time(out, entry->time_ns);
	fputs("  ", out);
	printable_put(out, patch);
	fprintf(out, "%*s%s", (int)(width - strlen(patch)) + 2, "", event);
	put_details(out, entry, EVENT_WIDTH + 2 - strlen(event));
	fputc('\n', out);
}

void text_put_log(FILE *out, const struct upatch_log *log)
{
	size_t width = 0;
	size_t i;

	if (log->lost_count > 0)
		fprintf(out, "%" PRIu64 " older event%s no longer kept\n",
			log->lost_count,
			log->lost_count == 1 ? " is" : "s are");
	for (i = 0; i < log->entry_count; i++)
		width = max_size(width, strlen(entry_patch(&log->entries[i])));
	for (i = 0; i < log->entry_count; i++)
		put_log_entry(out, &log->entries[i], width);
}

/* --- Check ------------------------------------------------------------ */

void text_put_aliases(FILE *out, const struct upatch_check_func *func)
{
	const char *const *alias = func->aliases;
	const char *separator = "";

	for (; alias && *alias; alias++) {
		fputs(separator, out);
		printable_put(out, *alias);
		separator = ", ";
	}
}

static void put_check_func(FILE *out, const struct upatch_check_func *func)
{
	put_func_name(out, func->name, func->sympos);
	fputs(" in ", out);
	put_object(out, func->object);
	fprintf(out, ": 0x%" PRIx64 ", %" PRIu64 " bytes", func->addr,
		func->size);
	if (func->shielded) {
		fputs(", shielded", out);
		if (func->shield_reason) {
			fputs(": ", out);
			printable_put(out, func->shield_reason);
		}
	}
	fputc('\n', out);
	if (func->aliases && func->aliases[0]) {
		fputs("  also known as ", out);
		text_put_aliases(out, func);
		fputc('\n', out);
	}
}

static void put_line(FILE *out, const char *label, const char *text)
{
	fprintf(out, "%s: ", label);
	printable_put(out, text);
	fputc('\n', out);
}

void text_put_check(FILE *out, const struct upatch_check *check)
{
	size_t i;

	for (i = 0; i < check->func_count; i++)
		put_check_func(out, &check->funcs[i]);
	for (i = 0; i < check->note_count; i++)
		put_line(out, "note", check->notes[i]);
	for (i = 0; i < check->problem_count; i++)
		put_line(out, "problem", check->problems[i]);
	if (check->problem_count == 0)
		fputs("no problems\n", out);
}

/* --- Info ------------------------------------------------------------- */

static void put_info_func(FILE *out, const struct upatch_info_func *func)
{
	fputs("  ", out);
	put_func_name(out, func->old_name, func->sympos);
	fputs(" -> ", out);
	printable_put(out, func->new_name ? func->new_name : "(no name)");
	if (func->immediate)
		fputs(", immediate", out);
	if (func->has_orig_func)
		fputs(", can call the original", out);
	fputc('\n', out);
}

static void put_info_callbacks(FILE *out,
			       const struct upatch_info_object *object)
{
	if (!object->has_pre_patch && !object->has_post_patch &&
	    !object->has_pre_unpatch && !object->has_post_unpatch)
		return;
	fputs("  callbacks:", out);
	if (object->has_pre_patch)
		fputs(" pre_patch", out);
	if (object->has_post_patch)
		fputs(" post_patch", out);
	if (object->has_pre_unpatch)
		fputs(" pre_unpatch", out);
	if (object->has_post_unpatch)
		fputs(" post_unpatch", out);
	fputc('\n', out);
}

static void put_info_object(FILE *out, const struct upatch_info_object *object)
{
	size_t i;

	put_object(out, object->name);
	if (object->build_id) {
		fputs(", build id ", out);
		printable_put(out, object->build_id);
	}
	fputc('\n', out);
	for (i = 0; i < object->func_count; i++)
		put_info_func(out, &object->funcs[i]);
	for (i = 0; i < object->symbol_count; i++) {
		fputs("  uses ", out);
		put_func_name(out, object->symbols[i].name,
			      object->symbols[i].sympos);
		fputc('\n', out);
	}
	put_info_callbacks(out, object);
}

void text_put_info(FILE *out, const struct upatch_info *info)
{
	size_t i;

	put_line(out, "name", info->name);
	if (info->description)
		put_line(out, "description", info->description);
	put_line(out, "file", info->path);
	if (info->build_id)
		put_line(out, "build id", info->build_id);
	fprintf(out, "interface version: %u\n", info->interface_version);
	if (info->replace)
		fputs("replaces all patches that are applied before it\n", out);
	if (info->immediate)
		fputs("immediate: waits for no thread\n", out);
	for (i = 0; i < info->state_count; i++)
		fprintf(out, "state %lu: version %u\n", info->states[i].id,
			info->states[i].version);
	for (i = 0; i < info->object_count; i++)
		put_info_object(out, &info->objects[i]);
}

void text_put_signature(FILE *out, const struct upatch_info *info,
			const char *path)
{
	fputs("signed ", out);
	printable_put(out, info->name);
	fputs(": ", out);
	printable_put(out, path);
	fputc('\n', out);
}
