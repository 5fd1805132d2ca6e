/* SPDX-License-Identifier: MIT */
/*
 * upatchctl as a user sees it: arguments in; exit status, text and JSON out.
 */
#include "upatchctl.h"

#include "child.h"
#include "deadline.h"
#include "paths.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define MAX_ARGS     16
#define RUN_LIMIT_MS 90000

static const char *const no_prefix[] = { NULL };
static const char *const *command_prefix = no_prefix;

struct output {
	int fd;
	FILE *stream;
	char *text;
	size_t size;
};

static void output_open(struct output *output, int fd)
{
	output->fd = fd;
	output->text = NULL;
	output->stream = open_memstream(&output->text, &output->size);
	if (output->stream == NULL)
		cr_fatal("out of memory");
}

/* False at end of file. */
static bool output_pump(struct output *output)
{
	char block[4096];
	ssize_t len = read(output->fd, block, sizeof(block));

	if (len <= 0)
		return false;
	fwrite(block, 1, (size_t)len, output->stream);
	return true;
}

static char *output_close(struct output *output)
{
	fclose(output->stream);
	return output->text;
}

/* Reads both pipes until their ends; false when `deadline_ms` is over. */
static bool pump_all(struct output outputs[2], int64_t deadline_ms)
{
	struct pollfd ready[2] = {
		{ .fd = outputs[0].fd, .events = POLLIN },
		{ .fd = outputs[1].fd, .events = POLLIN },
	};

	while (ready[0].fd >= 0 || ready[1].fd >= 0) {
		if (poll(ready, 2, deadline_left_ms(deadline_ms)) <= 0)
			return false;
		for (int i = 0; i < 2; i++) {
			if (ready[i].fd >= 0 && ready[i].revents != 0 &&
			    !output_pump(&outputs[i]))
				ready[i].fd = -1;
		}
	}
	return true;
}

struct run upatchctl_run(const char *const args[])
{
	const char *argv[MAX_ARGS + 1];
	size_t count = 0;
	struct run run = { .exit_status = -1 };
	struct output outputs[2];
	struct child child;
	int64_t deadline_ms = deadline_now_ms() + RUN_LIMIT_MS;
	int status;

	for (size_t i = 0; command_prefix[i] != NULL; i++)
		argv[count++] = command_prefix[i];
	argv[count++] = path_of_upatchctl();
	for (size_t i = 0; args[i] != NULL && count < MAX_ARGS; i++)
		argv[count++] = args[i];
	argv[count] = NULL;
	child_start(&child, argv, CHILD_CATCH_STDERR);
	output_open(&outputs[0], child.stdout_fd);
	output_open(&outputs[1], child.stderr_fd);
	if (!pump_all(outputs, deadline_ms))
		kill(child.pid, SIGKILL);
	status = child_stop(&child, DEADLINE_MS);
	run.out = output_close(&outputs[0]);
	run.err = output_close(&outputs[1]);
	if (WIFEXITED(status))
		run.exit_status = WEXITSTATUS(status);
	return run;
}

void upatchctl_run_under(const char *const prefix[])
{
	command_prefix = prefix;
}

void run_free(struct run *run)
{
	free(run->out);
	free(run->err);
	*run = (struct run){ 0 };
}

/* The command line for messages, in static storage. */
static const char *command_line(const char *const args[])
{
	static char text[2048];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; args[i] != NULL && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, " %s",
					args[i]);
	return text;
}

static bool is_one_line(const char *text)
{
	const char *end = strchr(text, '\n');

	return strncmp(text, "upatchctl: ", strlen("upatchctl: ")) == 0 &&
	       end != NULL && end[1] == '\0';
}

void upatchctl_expect_message(int exit_status, const char *part,
			      const char *const args[])
{
	struct run run = upatchctl_run(args);

	if (run.exit_status != exit_status)
		cr_fatal("upatchctl%s: exit status %d, expected %d\n%s%s",
			 command_line(args), run.exit_status, exit_status,
			 run.err, run.out);
	if (exit_status == EXIT_DONE ? run.err[0] != '\0'
				     : !is_one_line(run.err))
		cr_fatal("upatchctl%s: exit status %d, stderr is '%s'",
			 command_line(args), exit_status, run.err);
	if (part != NULL && strstr(run.err, part) == NULL)
		cr_fatal("upatchctl%s: no '%s' in '%s'", command_line(args),
			 part, run.err);
	run_free(&run);
}

void upatchctl_expect(int exit_status, const char *const args[])
{
	upatchctl_expect_message(exit_status, NULL, args);
}

void upatchctl_expect_done(const char *when, const char *const args[])
{
	struct run run = upatchctl_run(args);

	if (run.exit_status != EXIT_DONE)
		cr_fatal("%s: then %s: exit status %d, %s", when, args[0],
			 run.exit_status, run.err);
	run_free(&run);
}

void upatchctl_apply(const char *target, const char *patch_name)
{
	EXPECT_EXIT(EXIT_DONE, "apply", target, path_of_patch(patch_name));
}

void upatchctl_revert(const char *target, const char *patch_name)
{
	EXPECT_EXIT(EXIT_DONE, "revert", target, patch_name);
}

json_t *upatchctl_status(const char *target)
{
	struct run run = UPATCHCTL("status", "--json", target);
	json_error_t error;
	json_t *status = NULL;

	if (run.exit_status == EXIT_DONE)
		status = json_loads(run.out, 0, &error);
	if (status == NULL)
		cr_fatal(
			"upatchctl status --json %s: exit status %d, '%s' '%s'",
			target, run.exit_status, run.out, run.err);
	run_free(&run);
	return status;
}

bool upatchctl_has(const json_t *object, const char *key, json_type type)
{
	const json_t *member = json_object_get(object, key);

	return member != NULL && json_typeof(member) == type;
}

size_t upatchctl_patch_count(const char *target)
{
	json_t *status = upatchctl_status(target);
	size_t count = json_array_size(json_object_get(status, "patches"));

	json_decref(status);
	return count;
}

/* False: there is none. */
static bool find_newest_patch(const char *target, char *name, size_t size)
{
	json_t *status = upatchctl_status(target);
	json_t *patches = json_object_get(status, "patches");
	size_t count = json_array_size(patches);
	json_t *patch = json_array_get(patches, count ? count - 1 : 0);

	if (count)
		snprintf(name, size, "%s",
			 json_string_value(json_object_get(patch, "name")));
	json_decref(status);
	return count;
}

void upatchctl_revert_all(const char *target, const char *when)
{
	char name[64];

	while (find_newest_patch(target, name, sizeof(name)))
		EXPECT_DONE(when, "revert", target, name);
}

static const char *text_of(const json_t *entry, const char *key)
{
	const char *text = json_string_value(json_object_get(entry, key));

	return text != NULL ? text : "?";
}

/* `object` is null for the main executable, absent where it has no meaning. */
static void write_object(FILE *out, const json_t *entry)
{
	const json_t *object = json_object_get(entry, "object");

	if (object != NULL)
		fprintf(out, " %s",
			json_is_null(object) ? "main"
					     : json_string_value(object));
}

static void write_event(FILE *out, const json_t *entry)
{
	const json_t *ret = json_object_get(entry, "ret");

	fprintf(out, "%s %s", text_of(entry, "event"), text_of(entry, "patch"));
	if (json_object_get(entry, "direction") != NULL)
		fprintf(out, " %s", text_of(entry, "direction"));
	if (json_object_get(entry, "callback") != NULL)
		fprintf(out, " %s", text_of(entry, "callback"));
	write_object(out, entry);
	if (json_object_get(entry, "phase") != NULL)
		fprintf(out, " %s", text_of(entry, "phase"));
	if (json_is_integer(ret))
		fprintf(out, " %lld", (long long)json_integer_value(ret));
	fputc('\n', out);
}

/* Calls for each line of the log; returns how many there are. */
static size_t read_log(const char *target, size_t skip, FILE *out)
{
	struct run run = UPATCHCTL("log", "--json", target);
	size_t count = 0;
	char *rest = run.out;
	char *line;

	if (run.exit_status != EXIT_DONE)
		cr_fatal("upatchctl log %s: exit status %d, '%s'", target,
			 run.exit_status, run.err);
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		json_error_t error;
		json_t *entry = json_loads(line, 0, &error);

		if (entry == NULL)
			cr_fatal("log line '%s': %s", line, error.text);
		if (count++ >= skip && out != NULL)
			write_event(out, entry);
		json_decref(entry);
	}
	run_free(&run);
	return count;
}

char *upatchctl_transcript(const char *target, size_t skip)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		cr_fatal("out of memory");
	read_log(target, skip, out);
	fclose(out);
	return text;
}

size_t upatchctl_log_count(const char *target)
{
	return read_log(target, 0, NULL);
}

void upatchctl_expect_log(const char *target, size_t skip, const char *expected)
{
	char *text = upatchctl_transcript(target, skip);

	if (strcmp(text, expected) != 0)
		cr_fatal("log reads\n%s-- expected\n%s", text, expected);
	free(text);
}
