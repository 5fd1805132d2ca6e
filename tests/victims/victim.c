/* SPDX-License-Identifier: MIT */
/*
 * The line protocol of the victims.
 */
#include "victim.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static int in_fd = STDIN_FILENO, out_fd = STDOUT_FILENO;

void victim_init(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The parent may have died before the call; then stdin has ended. */
}

void victim_say(const char *format, ...)
{
	char line[1024];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(line) - 1)
		victim_die("line too long");
	line[len] = '\n';
	if (write(out_fd, line, (size_t)len + 1) != len + 1)
		_exit(1);
}

bool victim_next_command(char *line, size_t size)
{
	size_t len = 0;
	char c;

	while (read(in_fd, &c, 1) == 1) {
		if (c == '\n') {
			line[len] = '\0';
			return true;
		}
		if (len + 1 < size)
			line[len++] = c;
	}
	return false;
}

void victim_move_to(int new_in_fd, int new_out_fd)
{
	if (dup2(in_fd, new_in_fd) < 0 || dup2(out_fd, new_out_fd) < 0)
		victim_die("dup2");
	in_fd = new_in_fd;
	out_fd = new_out_fd;
}

void victim_die(const char *what)
{
	fprintf(stderr, "victim: %s: %s\n", what, strerror(errno));
	_exit(1);
}

unsigned long victim_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned long)now.tv_sec * 1000000000ul +
	       (unsigned long)now.tv_nsec;
}
