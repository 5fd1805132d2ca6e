/* SPDX-License-Identifier: MIT */
/*
 * A service that says whether it is busy, once a second, or every ARGUMENT
 * milliseconds.  SIGUSR1 makes it busy, SIGUSR2 idle.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static volatile sig_atomic_t busy;

/* volatile: or a compiler puts the constant into the caller. */
static const char *volatile current_version = "1.0";

__attribute__((noinline, noclone)) static const char *version(void)
{
	return current_version;
}

static void set_busy(int signal)
{
	busy = signal == SIGUSR1;
}

int main(int argc, char **argv)
{
	int interval_ms = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1000;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGUSR1, set_busy);
	signal(SIGUSR2, set_busy);
	for (;;) {
		printf("version %s, %s\n", version(), busy ? "busy" : "idle");
		poll(NULL, 0, interval_ms);
	}
}
