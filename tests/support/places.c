/* SPDX-License-Identifier: MIT */
/* The system calls of upatchctl as places at which something happens. */
#include "places.h"

#include "paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_WORDS 12

void places_begin(struct places *places, unsigned int preset)
{
	const char *value = getenv("UPATCH_KILL_EVERY");
	unsigned long every = value != NULL ? strtoul(value, NULL, 10) : 0;

	places->every = every != 0 ? (unsigned int)every : preset;
	places->at = 1 + (unsigned int)getpid() % places->every;
}

void places_next(struct places *places)
{
	places->at += places->every;
}

/* The last line. */
static unsigned int take_count(const char *out)
{
	size_t len = strlen(out);

	if (len == 0)
		return 0;
	for (len--; len > 0 && out[len - 1] != '\n';)
		len--;
	return (unsigned int)strtoul(out + len, NULL, 10);
}

struct run places_run(const struct places *places, const char *const options[],
		      const char *const args[], unsigned int *ret_count)
{
	static const char *const none[] = { NULL };
	const char *words[MAX_WORDS] = { path_of_kill_at(), "-c" };
	size_t count = 2;
	char number[16];
	struct run run;

	for (size_t i = 0; options[i] != NULL && count < MAX_WORDS - 2; i++)
		words[count++] = options[i];
	snprintf(number, sizeof(number), "%u", places->at);
	words[count++] = number;
	words[count] = NULL;
	upatchctl_run_under(words);
	run = upatchctl_run(args);
	upatchctl_run_under(none);
	*ret_count = take_count(run.out);
	return run;
}
