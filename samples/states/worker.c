/* SPDX-License-Identifier: MIT */
/*
 * A program with a limit, which it shows once a second, or every ARGUMENT
 * milliseconds.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static volatile int job_limit = 4;

/* volatile: or a compiler puts the constant into the caller. */
static const char *volatile current_version = "1.0";

__attribute__((noinline, noclone)) static const char *version(void)
{
	return current_version;
}

int main(int argc, char **argv)
{
	int interval_ms = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1000;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (;;) {
		printf("version %s, at most %d jobs\n", version(), job_limit);
		poll(NULL, 0, interval_ms);
	}
}
