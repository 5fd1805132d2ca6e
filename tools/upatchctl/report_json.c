/* SPDX-License-Identifier: MIT */
/* What upatchctl tells, as JSON. */
#include "report_json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "names.h"

#define NS_PER_SEC UINT64_C(1000000000)
#define NS_PER_US  1000

/* --- Composing -------------------------------------------------------- */

/* Takes over `value`.  *object becomes NULL, for good, if memory is out. */
static void add(json_t **object, const char *name, json_t *value)
{
	if (json_object_set_new(*object, name, value) == 0)
		return;
	json_decref(*object);
	*object = NULL;
}

typedef json_t *(*json_of_element)(const void *element);

static json_t *json_of_array(const void *elements, size_t count,
			     size_t element_size, json_of_element convert)
{
	const char *element = elements;
	json_t *array = json_array();
	size_t i;

	for (i = 0; array && i < count; i++, element += element_size) {
		if (json_array_append_new(array, convert(element)) == 0)
			continue;
		json_decref(array);
		array = NULL;
	}
	return array;
}

/* --- Values ----------------------------------------------------------- */

/*
 * File names and thread names are bytes, JSON is UTF-8: where a text is not,
 * each of its bytes above ASCII becomes U+FFFD.
 */
static json_t *replace_invalid(const char *text)
{
	static const char replacement[] = "\xef\xbf\xbd";
	const size_t len = sizeof(replacement) - 1;
	char *valid = malloc(strlen(text) * len + 1);
	char *end = valid;
	json_t *json;

	if (!valid)
		return NULL;
	for (; *text; text++) {
		if ((unsigned char)*text < 0x80) {
			*end++ = *text;
			continue;
		}
		memcpy(end, replacement, len);
		end += len;
	}
	*end = '\0';
	json = json_string(valid);
	free(valid);
	return json;
}

static json_t *json_of_text(const char *text)
{
	json_t *json;

	if (!text)
		return json_null();
	json = json_string(text);
	return json ? json : replace_invalid(text);
}

static json_t *json_of_addr(uint64_t addr)
{
	return json_sprintf("0x%llx", (unsigned long long)addr);
}

static json_t *json_of_time(uint64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / NS_PER_SEC);
	struct tm utc;
	char text[32];

	if (!gmtime_r(&seconds, &utc))
		return json_null();
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	return json_sprintf("%s.%09lluZ", text,
			    (unsigned long long)(time_ns % NS_PER_SEC));
}

static json_t *json_of_count(uint64_t count)
{
	return json_integer((json_int_t)count);
}

static json_t *json_of_text_element(const void *element)
{
	const char *const *text = element;

	return json_of_text(*text);
}

static json_t *json_of_texts(const char *const *texts, size_t count)
{
	return json_of_array(texts, count, sizeof(*texts),
			     json_of_text_element);
}

static size_t count_texts(const char *const *texts)
{
	size_t count = 0;

	while (texts && texts[count])
		count++;
	return count;
}

/* --- Operations ------------------------------------------------------- */

json_t *json_of_outcome(const struct report_outcome *outcome)
{
	const struct upatch_result *result = outcome->result;
	bool has_patch = outcome->patch && outcome->patch[0] != '\0';
	json_t *json = json_object();

	add(&json, "ok", json_true());
	add(&json, "pid", json_integer(outcome->pid));
	add(&json, "patch", json_of_text(has_patch ? outcome->patch : NULL));
	add(&json, "threads", json_of_count(result->thread_count));
	add(&json, "funcs", json_of_count(result->func_count));
	add(&json, "barrier_us", json_of_count(result->barrier_ns / NS_PER_US));
	add(&json, "host_us", json_of_count(result->host_ns / NS_PER_US));
	add(&json, "total_us", json_of_count(result->total_ns / NS_PER_US));
	if (outcome->dry_run)
		add(&json, "dry_run", json_true());
	if (result->parked)
		add(&json, "parked", json_true());
	if (result->signer[0] != '\0')
		add(&json, "signer", json_of_text(result->signer));
	return json;
}

json_t *json_of_failure(const struct upatch_error *failure)
{
	json_t *json = json_object();

	add(&json, "ok", json_false());
	add(&json, "code", json_string(names_code(failure->code)));
	add(&json, "errno", json_integer(failure->saved_errno));
	add(&json, "message", json_of_text(failure->message));
	add(&json, "exit",
	    json_integer(upatch_error_exit_status(failure->code)));
	return json;
}

/* --- Status ----------------------------------------------------------- */

static json_t *json_of_status_func(const void *element)
{
	const struct upatch_status_func *func = element;
	json_t *json = json_object();

	add(&json, "name", json_of_text(func->name));
	add(&json, "sympos", json_of_count(func->sympos));
	add(&json, "patched", json_boolean(func->patched));
	add(&json, "transition", json_boolean(func->transition));
	add(&json, "shielded", json_boolean(func->shielded));
	add(&json, "old_addr", json_of_addr(func->old_addr));
	add(&json, "old_size", json_of_count(func->old_size));
	add(&json, "new_addr", json_of_addr(func->new_addr));
	add(&json, "new_size", json_of_count(func->new_size));
	return json;
}

static json_t *json_of_status_object(const void *element)
{
	const struct upatch_status_object *object = element;
	json_t *json = json_object();

	add(&json, "name", json_of_text(object->name));
	add(&json, "loaded", json_boolean(object->loaded));
	add(&json, "patched", json_boolean(object->patched));
	add(&json, "funcs",
	    json_of_array(object->funcs, object->func_count,
			  sizeof(*object->funcs), json_of_status_func));
	return json;
}

static json_t *json_of_status_patch(const void *element)
{
	const struct upatch_status_patch *patch = element;
	json_t *json = json_object();

	add(&json, "name", json_of_text(patch->name));
	add(&json, "file", json_of_text(patch->file));
	add(&json, "state", json_string(names_state(patch->state)));
	add(&json, "stack_order", json_of_count(patch->stack_order));
	add(&json, "replace", json_boolean(patch->replace));
	add(&json, "forced", json_boolean(patch->forced));
	add(&json, "objects",
	    json_of_array(patch->objects, patch->object_count,
			  sizeof(*patch->objects), json_of_status_object));
	return json;
}

static json_t *json_of_blocking(const void *element)
{
	const struct upatch_status_blocking *blocking = element;
	json_t *json = json_object();

	add(&json, "tid", json_integer(blocking->tid));
	add(&json, "comm", json_of_text(blocking->comm));
	add(&json, "reason", json_of_text(blocking->reason));
	add(&json, "function", json_of_text(blocking->function));
	add(&json, "backtrace",
	    json_of_texts(blocking->backtrace,
			  count_texts(blocking->backtrace)));
	return json;
}

static json_t *
json_of_transition(const struct upatch_status_transition *transition)
{
	json_t *json = json_object();

	add(&json, "patch", json_of_text(transition->patch));
	add(&json, "direction",
	    json_string(names_direction(transition->direction)));
	add(&json, "threads", json_of_count(transition->thread_count));
	add(&json, "moved", json_of_count(transition->moved_count));
	add(&json, "blocking",
	    json_of_array(transition->blocking, transition->blocking_count,
			  sizeof(*transition->blocking), json_of_blocking));
	return json;
}

static json_t *json_of_status_callback(const void *element)
{
	const struct upatch_status_callback *callback = element;
	json_t *json = json_object();

	add(&json, "patch", json_of_text(callback->patch));
	add(&json, "object", json_of_text(callback->object));
	add(&json, "phase", json_of_text(callback->phase));
	add(&json, "callback", json_of_text(callback->callback));
	add(&json, "tid", json_integer(callback->tid));
	return json;
}

json_t *json_of_status(const struct upatch_status *status)
{
	json_t *json = json_object();

	add(&json, "pid", json_integer(status->pid));
	add(&json, "exe", json_of_text(status->exe));
	add(&json, "patches",
	    json_of_array(status->patches, status->patch_count,
			  sizeof(*status->patches), json_of_status_patch));
	add(&json, "transition",
	    status->transition ? json_of_transition(status->transition)
			       : json_null());
	if (status->callback_count)
		add(&json, "callbacks",
		    json_of_array(status->callbacks, status->callback_count,
				  sizeof(*status->callbacks),
				  json_of_status_callback));
	return json;
}

static json_t *json_of_status_element(const void *element)
{
	struct upatch_status *const *status = element;

	return json_of_status(*status);
}

json_t *json_of_status_list(struct upatch_status *const *statuses, size_t count)
{
	return json_of_array(statuses, count, sizeof(*statuses),
			     json_of_status_element);
}

/* --- Log -------------------------------------------------------------- */

/* Which members an entry has depends on its event. */
json_t *json_of_log_entry(const struct upatch_log_entry *entry)
{
	json_t *json = json_object();

	add(&json, "seq", json_of_count(entry->seq));
	add(&json, "time", json_of_time(entry->time_ns));
	add(&json, "event", json_of_text(upatch_event_name(entry->event)));
	add(&json, "patch", json_of_text(entry->patch));
	if (entry->has_object)
		add(&json, "object", json_of_text(entry->object));
	if (entry->phase)
		add(&json, "phase", json_of_text(entry->phase));
	if (entry->has_callback)
		add(&json, "callback", json_of_text(entry->callback));
	if (entry->has_ret)
		add(&json, "ret", json_integer(entry->ret));
	if (entry->has_direction)
		add(&json, "direction",
		    json_string(names_direction(entry->direction)));
	if (entry->detail)
		add(&json, "reason", json_of_text(entry->detail));
	return json;
}

/* --- Check ------------------------------------------------------------ */

static json_t *json_of_check_func(const void *element)
{
	const struct upatch_check_func *func = element;
	json_t *json = json_object();

	add(&json, "object", json_of_text(func->object));
	add(&json, "name", json_of_text(func->name));
	add(&json, "sympos", json_of_count(func->sympos));
	add(&json, "addr", json_of_addr(func->addr));
	add(&json, "size", json_of_count(func->size));
	add(&json, "shielded", json_boolean(func->shielded));
	add(&json, "shield_reason", json_of_text(func->shield_reason));
	add(&json, "aliases",
	    json_of_texts(func->aliases, count_texts(func->aliases)));
	return json;
}

static json_t *json_of_problem(enum upatch_error_code code, const char *text)
{
	json_t *json = json_object();

	add(&json, "code", json_string(names_code(code)));
	add(&json, "message", json_of_text(text));
	return json;
}

/* Two arrays side by side, so json_of_array does not fit. */
static json_t *json_of_problems(const struct upatch_check *check)
{
	json_t *array = json_array();
	json_t *problem;
	size_t i;

	for (i = 0; array && i < check->problem_count; i++) {
		problem = json_of_problem(check->problem_codes[i],
					  check->problems[i]);
		if (json_array_append_new(array, problem) == 0)
			continue;
		json_decref(array);
		array = NULL;
	}
	return array;
}

json_t *json_of_check(const struct upatch_check *check)
{
	json_t *json = json_object();

	add(&json, "ok", json_boolean(check->problem_count == 0));
	add(&json, "problems", json_of_problems(check));
	add(&json, "notes", json_of_texts(check->notes, check->note_count));
	add(&json, "funcs",
	    json_of_array(check->funcs, check->func_count,
			  sizeof(*check->funcs), json_of_check_func));
	return json;
}

/* --- Info ------------------------------------------------------------- */

static json_t *json_of_info_func(const void *element)
{
	const struct upatch_info_func *func = element;
	json_t *json = json_object();

	add(&json, "old_name", json_of_text(func->old_name));
	add(&json, "sympos", json_of_count(func->sympos));
	add(&json, "new_name", json_of_text(func->new_name));
	add(&json, "immediate", json_boolean(func->immediate));
	add(&json, "orig_func", json_boolean(func->has_orig_func));
	return json;
}

static json_t *json_of_info_symbol(const void *element)
{
	const struct upatch_info_symbol *symbol = element;
	json_t *json = json_object();

	add(&json, "name", json_of_text(symbol->name));
	add(&json, "sympos", json_of_count(symbol->sympos));
	return json;
}

static json_t *json_of_info_callbacks(const struct upatch_info_object *object)
{
	const char *names[4];
	size_t count = 0;

	if (object->has_pre_patch)
		names[count++] = "pre_patch";
	if (object->has_post_patch)
		names[count++] = "post_patch";
	if (object->has_pre_unpatch)
		names[count++] = "pre_unpatch";
	if (object->has_post_unpatch)
		names[count++] = "post_unpatch";
	return json_of_texts(names, count);
}

static json_t *json_of_info_object(const void *element)
{
	const struct upatch_info_object *object = element;
	json_t *json = json_object();

	add(&json, "name", json_of_text(object->name));
	add(&json, "build_id", json_of_text(object->build_id));
	add(&json, "funcs",
	    json_of_array(object->funcs, object->func_count,
			  sizeof(*object->funcs), json_of_info_func));
	add(&json, "symbols",
	    json_of_array(object->symbols, object->symbol_count,
			  sizeof(*object->symbols), json_of_info_symbol));
	add(&json, "callbacks", json_of_info_callbacks(object));
	return json;
}

static json_t *json_of_info_state(const void *element)
{
	const struct upatch_info_state *state = element;
	json_t *json = json_object();

	add(&json, "id", json_of_count(state->id));
	add(&json, "version", json_of_count(state->version));
	return json;
}

json_t *json_of_info(const struct upatch_info *info)
{
	json_t *json = json_object();

	add(&json, "path", json_of_text(info->path));
	add(&json, "name", json_of_text(info->name));
	add(&json, "description", json_of_text(info->description));
	add(&json, "build_id", json_of_text(info->build_id));
	add(&json, "interface_version", json_of_count(info->interface_version));
	add(&json, "replace", json_boolean(info->replace));
	add(&json, "immediate", json_boolean(info->immediate));
	add(&json, "objects",
	    json_of_array(info->objects, info->object_count,
			  sizeof(*info->objects), json_of_info_object));
	add(&json, "states",
	    json_of_array(info->states, info->state_count,
			  sizeof(*info->states), json_of_info_state));
	return json;
}

json_t *json_of_signature(const struct upatch_info *info, const char *path)
{
	json_t *json = json_object();

	add(&json, "ok", json_true());
	add(&json, "patch", json_of_text(info->name));
	add(&json, "path", json_of_text(info->path));
	add(&json, "signature", json_of_text(path));
	return json;
}
