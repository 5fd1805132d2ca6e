/* SPDX-License-Identifier: MIT */
/*
 * What stands on stderr while an operation runs: with --verbose the library's
 * trace, otherwise, on a terminal, one line of progress.
 */
#ifndef UPATCHCTL_CONSOLE_H
#define UPATCHCTL_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

#include <upatch/upatch.h>

/*
 * The callbacks may run while a thread of the target is stopped, so they never
 * wait for whoever reads stderr: a terminal that was halted with Ctrl-S, or a
 * pager.  Progress is skipped then, trace lines are kept.
 */
struct console {
	bool shows_progress, shows_trace;
	char *shown; /* the line of progress, or NULL */
	char *kept;  /* trace not written yet */
	size_t kept_len;
};

void console_init(struct console *console, bool verbose);
/* Clears the line of progress, writes what was kept. */
void console_fini(struct console *console);

/* For upatch_options; `user` is the console. */
void console_progress(const struct upatch_progress *progress, void *user);
void console_trace(const char *line, void *user);

/* The same with many processes at work; the caller has them take turns. */
void console_trace_process(const char *line, pid_t pid,
			   struct console *console);
void console_count(struct console *console, const char *done, size_t count,
		   size_t total);

#endif
