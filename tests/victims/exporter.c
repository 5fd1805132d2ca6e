/* SPDX-License-Identifier: MIT */
/*
 * Exports what the patches tests/patches/clash.c name, and answers every
 * command with the result of work(1).
 */
#include "victim.h"

int limit = 3;
__thread int depth = 3;
int weigh_more(int x);

REPLACED int weigh_more(int x)
{
	return x + limit + depth;
}

static REPLACED int work(int x)
{
	return 10 * weigh_more(x);
}

int main(void)
{
	char command[64];

	victim_init();
	victim_say("ready");
	while (victim_next_command(command, sizeof(command)))
		victim_say("work=%d", work(1));
	return 0;
}
