/* SPDX-License-Identifier: MIT */
/*
 * leaver exit|exec: for half a second its only thread cannot be borrowed, as
 * qsort has called it back; then it ends, or becomes another program.
 */
#include "victim.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile int step = 1;
static const char *how;

static REPLACED int work(int x)
{
	return x + step;
}

static int leave(const void *a, const void *b)
{
	(void)a;
	(void)b;
	usleep(500000);
	if (strcmp(how, "exec") == 0)
		execl("/bin/sleep", "sleep", "1", (char *)NULL);
	_exit(0);
}

int main(int argc, char *argv[])
{
	int numbers[] = { work(2), work(1) };

	if (argc < 2)
		return 1;
	how = argv[1];
	victim_init();
	victim_say("ready");
	qsort(numbers, 2, sizeof(numbers[0]), leave);
	return 0;
}
