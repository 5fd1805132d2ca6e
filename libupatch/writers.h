/* SPDX-License-Identifier: MIT */
/* Who can change a file, or put another one in its place. */
#ifndef UPATCH_WRITERS_H
#define UPATCH_WRITERS_H

#include <sys/stat.h>

#include "error.h"
#include "trail.h"

/*
 * Refuses (UPATCH_ERROR_UNTRUSTED) a file that somebody other than root and
 * user `owner` can write to, or for which they can put another one along the
 * trail.  `stat` is what was opened.
 */
UPATCH_MUST_CHECK int writers_check(const char *path, const struct stat *stat,
				    const struct trail *trail, uid_t owner,
				    struct upatch_error *err);

#endif
