/* SPDX-License-Identifier: MIT */
/* What is mapped in the target: /proc/PID/maps. */
#ifndef UPATCH_MAPS_H
#define UPATCH_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "addr.h"
#include "error.h"

struct map {
	upatch_addr_t start, end;
	bool readable, writable, executable, shared;
	/* the file was unlinked or replaced; " (deleted)" is not in `path` */
	bool deleted;
	uint64_t offset;
	/* of the file; 0 where there is none */
	dev_t dev;
	ino_t inode;
	/* "" for anonymous memory, "[heap]" and the like */
	const char *path;
};

struct maps {
	/* ascending, without overlap */
	struct map *maps;
	size_t count;
	/*
	 * From here on the heap grows (brk(2)); 0: not known.  It stands here
	 * because a heap that is empty has no line in maps.
	 */
	upatch_addr_t brk;
	char *text; /* what the paths point into */
};

/* Reads the maps of a process.  Release with maps_free. */
UPATCH_MUST_CHECK int maps_read(pid_t pid, struct maps *ret_maps,
				struct upatch_error *err);
/* The same from the text of such a file; `brk` is the end of "[heap]". */
UPATCH_MUST_CHECK int maps_parse(const char *text, size_t len,
				 struct maps *ret_maps,
				 struct upatch_error *err);
/* Zeroed maps and maps already freed are allowed. */
void maps_free(struct maps *maps);

/* The mapping that has `addr`, or NULL. */
const struct map *maps_find(const struct maps *maps, upatch_addr_t addr);

/*
 * A free, page-aligned address where `len` bytes can be mapped so that all of
 * them are less than `reach` away from `near`; after `near` where possible,
 * and as close as possible.  What may grow keeps room to grow (maps_gap.c).
 * 0: there is none.
 */
upatch_addr_t maps_find_gap(const struct maps *maps, upatch_addr_t near,
			    uint64_t reach, uint64_t len);

#endif
