/* SPDX-License-Identifier: MIT */
/* What a check finds: problems, each with its code, and notes. */
#include "findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool append(char ***list, size_t count, const char *text)
{
	char **grown = realloc(*list, (count + 2) * sizeof(*grown));

	if (!grown)
		return false;
	*list = grown;
	grown[count] = strdup(text);
	grown[count + 1] = NULL;
	return grown[count];
}

bool findings_add_problem(struct findings *findings,
			  const struct upatch_error *problem)
{
	size_t count = findings->problem_count;
	enum upatch_error_code *codes =
		realloc(findings->codes, (count + 1) * sizeof(*codes));

	if (!codes)
		return false;
	findings->codes = codes;
	codes[count] = problem->code;
	if (!append(&findings->problems, count, problem->message))
		return false;
	findings->problem_count++;
	return true;
}

bool findings_add_note(struct findings *findings, const char *format, ...)
{
	char text[UPATCH_ERROR_MESSAGE_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!append(&findings->notes, findings->note_count, text))
		return false;
	findings->note_count++;
	return true;
}

void findings_free(struct findings *findings)
{
	for (size_t i = 0; i < findings->problem_count; i++)
		free(findings->problems[i]);
	for (size_t i = 0; i < findings->note_count; i++)
		free(findings->notes[i]);
	free(findings->problems);
	free(findings->codes);
	free(findings->notes);
	*findings = (struct findings){ 0 };
}

int findings_report(const struct findings *findings, struct upatch_error *err)
{
	if (!findings->problem_count)
		return 0;
	error_set(err, findings->codes[0], 0, "%s", findings->problems[0]);
	for (size_t i = 1; i < findings->problem_count; i++)
		error_append(err, "%s", findings->problems[i]);
	return findings->codes[0];
}
