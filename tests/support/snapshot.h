/* SPDX-License-Identifier: MIT */
/*
 * What an observer outside sees of a process, as sorted lines, so that two
 * snapshots can be compared and the difference read.
 */
#ifndef SUPPORT_SNAPSHOT_H
#define SUPPORT_SNAPSHOT_H

#include <stddef.h>
#include <sys/types.h>

/* What a comparison looks at. */
enum snapshot_kind {
	/* file mappings one by one, the number of others by permission */
	SNAPSHOT_MAPS = 1,
	SNAPSHOT_FDS = 2,
	/* tid, name, SigBlk, stopped or not */
	SNAPSHOT_THREADS = 4,
	/* SigIgn and SigCgt, TracerPid */
	SNAPSHOT_PROCESS = 8,
	/* a hash of every executable file mapping as it stands in memory */
	SNAPSHOT_CODE = 16,
	SNAPSHOT_ALL = 31
};

struct snapshot {
	char **lines; /* sorted */
	size_t count;
};

void snapshot_take(pid_t pid, struct snapshot *snapshot);
void snapshot_free(struct snapshot *snapshot);

/*
 * Fails the test, printing what differs, unless `pid` shows the same as
 * `before`.  A thread that has let go of everything may take a moment to
 * vanish, so it looks again for two seconds.
 */
void snapshot_expect_equal(pid_t pid, const struct snapshot *before,
			   unsigned int kinds, const char *when);
/*
 * The same, but `pid` may show more than `before`: what was there is there
 * unchanged.
 */
void snapshot_expect_kept(pid_t pid, const struct snapshot *before,
			  unsigned int kinds, const char *when);
/* All of `before`, but that the runtime is mapped beside it. */
void snapshot_expect_reverted(pid_t pid, const struct snapshot *before,
			      const char *when);

#endif
