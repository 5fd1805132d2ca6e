/* SPDX-License-Identifier: MIT */
/* How the commands describe their own failures, as the library does. */
#ifndef UPATCHCTL_FAILURE_H
#define UPATCHCTL_FAILURE_H

#include <upatch/upatch.h>

/*
 * Fills *err, which may be NULL, and returns `code`.  A saved_errno other than
 * 0 adds ": <text of errno>" to the message.
 */
__attribute__((format(printf, 4, 5))) int
failure_set(struct upatch_error *err, enum upatch_error_code code,
	    int saved_errno, const char *format, ...);

#endif
