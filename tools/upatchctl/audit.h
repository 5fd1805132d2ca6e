/* SPDX-License-Identifier: MIT */
/* One line to syslog for each operation on a process. */
#ifndef UPATCHCTL_AUDIT_H
#define UPATCHCTL_AUDIT_H

#include <upatch/upatch.h>

struct audit {
	const char *command; /* "apply" … */
	const struct upatch_target *target;
	const char *patch;		/* NULL or "": none was concerned */
	const struct upatch_info *info; /* of its file; NULL: not known */
	const struct upatch_result *result;
	int code;			/* what the operation returned */
	const struct upatch_error *err; /* meaningful if that is not 0 */
};

/*
 * To the facility authpriv, so that other users do not read it.  Without a
 * syslog daemon or journal the line is lost, and nothing else happens.  Safe
 * in several threads at once.
 */
void audit_write(const struct audit *audit);

#endif
