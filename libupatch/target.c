/* SPDX-License-Identifier: MIT */
/* The public handle of a process. */
#include <stdlib.h>

#include "operation.h"

int upatch_cache_open(struct upatch_cache **ret_cache, struct upatch_error *err)
{
	struct upatch_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	file_cache_init(&cache->files);
	*ret_cache = cache;
	return 0;
}

void upatch_cache_close(struct upatch_cache *cache)
{
	if (!cache)
		return;
	file_cache_fini(&cache->files);
	free(cache);
}

int upatch_target_open(pid_t pid, struct upatch_target **ret_target,
		       struct upatch_error *err)
{
	return upatch_target_open_cached(pid, NULL, ret_target, err);
}

int upatch_target_open_cached(pid_t pid, struct upatch_cache *cache,
			      struct upatch_target **ret_target,
			      struct upatch_error *err)
{
	struct upatch_target *target = calloc(1, sizeof(*target));
	int ret;

	if (!target)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	ret = process_open(&target->process, pid, err);
	if (ret) {
		free(target);
		return ret;
	}
	if (cache)
		target->process.cache = &cache->files;
	*ret_target = target;
	return 0;
}

void upatch_target_close(struct upatch_target *target)
{
	if (!target)
		return;
	process_close(&target->process);
	free(target);
}

pid_t upatch_target_pid(const struct upatch_target *target)
{
	return target->process.pid;
}

const char *upatch_target_exe(const struct upatch_target *target)
{
	return target->process.exe;
}
