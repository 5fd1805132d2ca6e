/* SPDX-License-Identifier: MIT */
/*
 * Says hello once a second, or every ARGUMENT milliseconds; to the wrong one.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

/* So that there is a function to replace, even with -O2. */
__attribute__((noinline, noclone)) static const char *greeting(void)
{
	__asm__ volatile("");
	return "Hello, wrold";
}

int main(int argc, char **argv)
{
	int interval_ms = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1000;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (;;) {
		puts(greeting());
		poll(NULL, 0, interval_ms);
	}
}
