/* SPDX-License-Identifier: MIT */
/*
 * Traces another process until it is told to stop, as a debugger would.
 * usage: tracer PID
 */
#include "victim.h"

#include <stdlib.h>
#include <sys/ptrace.h>

int main(int argc, char **argv)
{
	char command[64];

	victim_init();
	if (argc != 2 ||
	    ptrace(PTRACE_SEIZE, (pid_t)strtol(argv[1], NULL, 10), 0, 0) != 0)
		victim_die("PTRACE_SEIZE");
	victim_say("ready");
	while (victim_next_command(command, sizeof(command)))
		victim_say("tracing");
	return 0;
}
