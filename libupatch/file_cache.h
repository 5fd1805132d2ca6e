/* SPDX-License-Identifier: MIT */
/* What was read from files, for all processes that use them. */
#ifndef UPATCH_FILE_CACHE_H
#define UPATCH_FILE_CACHE_H

#include <pthread.h>

#include "maps.h"
#include "memory.h"
#include "modules.h"
#include "symbols.h"

struct cached_file;

/* Safe for use by several threads. */
struct file_cache {
	pthread_mutex_t lock;
	struct cached_file *files;
};

void file_cache_init(struct file_cache *cache);
/* Tables that were opened with it are closed before. */
void file_cache_fini(struct file_cache *cache);

/*
 * As symbols_open, but the index of a file is made only once.  `cache` may be
 * NULL.  A file is told by its device, inode and build id; one without a build
 * id by size, time of change and program headers.
 */
UPATCH_MUST_CHECK int
file_cache_symbols(struct file_cache *cache, const struct module *module,
		   const struct maps *maps, const struct memory *memory,
		   struct symbol_table **ret_table, struct upatch_error *err);

#endif
