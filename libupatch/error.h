/* SPDX-License-Identifier: MIT */
/*
 * How every function of the library reports a failure: it returns the code
 * and writes the reason once, where the names are known.
 */
#ifndef UPATCH_ERROR_H
#define UPATCH_ERROR_H

#include <upatch/upatch.h>

/*
 * Writes code, errno and message, and returns `code`.  `err` may be NULL.
 * A saved_errno other than 0 adds ": <text of errno>" to the message.
 */
int error_set(struct upatch_error *err, enum upatch_error_code code,
	      int saved_errno, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Puts context before the message: "<context>: <message>". */
__attribute__((format(printf, 2, 3))) void
error_prefix(struct upatch_error *err, const char *format, ...);

/* Adds "; <text>", for what an undo reports on top of the first failure. */
__attribute__((format(printf, 2, 3))) void
error_append(struct upatch_error *err, const char *format, ...);

/* Fit for errno: EPERM and EACCES are PERMISSION, ESRCH is NO_TARGET, … */
enum upatch_error_code error_code_of_errno(int saved_errno);

#endif
