/* SPDX-License-Identifier: MIT */
/* The standard streams of a program that opens files of other processes. */
#ifndef UPATCHCTL_OUTPUT_H
#define UPATCHCTL_OUTPUT_H

#include <stddef.h>

#include <upatch/upatch.h>

/*
 * Where 0, 1 or 2 is closed, the next open would take its number, and text
 * meant for the operator could end up in the memory of a target.
 */
UPATCH_MUST_CHECK int output_reserve_streams(struct upatch_error *err);

/* All of it, or the errno of what went wrong. */
int output_write_all(int fd, const char *text, size_t len);

/*
 * Writes to standard output.  That its reader went away (EPIPE) is no
 * failure: he has seen what he wanted.
 */
UPATCH_MUST_CHECK int output_write(const char *text, size_t len,
				   struct upatch_error *err);

/* One line, written at once: "upatchctl: <message>". */
void output_write_failure(const struct upatch_error *failure);

#endif
