/* SPDX-License-Identifier: MIT */
/*
 * breeder N: forks a child every two milliseconds until there are N, which
 * wait; "call" says how many there are, and the result of work(1).
 */
#include "victim.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

static volatile int step = 1;

static REPLACED int work(int x)
{
	return x + step;
}

static void breed(void)
{
	pid_t child = fork();

	if (child < 0)
		victim_die("fork");
	if (child > 0)
		return;
	victim_init();
	for (;;)
		poll(NULL, 0, -1);
}

int main(int argc, char *argv[])
{
	struct pollfd command = { .fd = STDIN_FILENO, .events = POLLIN };
	long wanted = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
	char line[64];
	long count = 0;

	victim_init();
	victim_say("ready");
	for (;;) {
		if (poll(&command, 1, count < wanted ? 2 : -1) == 0) {
			breed();
			count++;
			continue;
		}
		if (!victim_next_command(line, sizeof(line)))
			return 0;
		victim_say("count=%ld work=%d", count, work(1));
	}
}
