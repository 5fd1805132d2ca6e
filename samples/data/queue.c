/* SPDX-License-Identifier: MIT */
/*
 * A program with a limit in a variable, which it shows once a second, or every
 * ARGUMENT milliseconds.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static volatile int queue_limit = 100;

int main(int argc, char **argv)
{
	int interval_ms = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1000;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (;;) {
		printf("queue limit %d\n", queue_limit);
		poll(NULL, 0, interval_ms);
	}
}
