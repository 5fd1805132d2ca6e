/* SPDX-License-Identifier: MIT */
/* The folders and symbolic links through which a path leads to its file. */
#ifndef UPATCH_TRAIL_H
#define UPATCH_TRAIL_H

#include <stddef.h>
#include <sys/stat.h>

#include "error.h"

/* Whoever can change one of them chooses the file. */
struct trail_entry {
	const char *kind; /* "folder", "link" */
	char *path;
	struct stat stat;
};

struct trail {
	struct trail_entry *entries;
	size_t count;
};

/*
 * `file` is what was opened at `path`; that the path leads elsewhere now is an
 * error.  Links in a folder that is not sticky count as their folder does.
 * What a process holds, as in /proc/self/fd, nobody puts elsewhere: from such
 * a link on only what follows counts.  *ret_trail is always to be freed.
 */
UPATCH_MUST_CHECK int trail_read(const char *path, const struct stat *file,
				 struct trail *ret_trail,
				 struct upatch_error *err);
void trail_free(struct trail *trail);

#endif
