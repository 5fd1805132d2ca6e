/* SPDX-License-Identifier: MIT */
/*
 * A patch file, read once: the bytes that were checked are the bytes that are
 * loaded, whatever becomes of the file.
 */
#ifndef UPATCH_PATCH_FILE_H
#define UPATCH_PATCH_FILE_H

#include <sys/stat.h>

#include <upatch/upatch.h>

#include "patch_model.h"
#include "trail.h"

/* A sealed memfd with the file's bytes; belongs to the patch file. */
int patch_file_memfd(const struct upatch_patch_file *file);
/* The same bytes; they live with the patch file. */
const void *patch_file_bytes(const struct upatch_patch_file *file,
			     size_t *ret_len);
/* What fstat(2) said of the file that was read. */
const struct stat *patch_file_stat(const struct upatch_patch_file *file);
/* How its path, as it was given, led to it. */
const struct trail *patch_file_trail(const struct upatch_patch_file *file);
/* What it declares; lives with the patch file. */
const struct patch_model *
patch_file_model(const struct upatch_patch_file *file);

/*
 * The code from `addr` to the end of its segment, as it is in the file.
 * False: `addr` is not in executable memory.
 */
bool patch_file_code(const struct upatch_patch_file *file, upatch_addr_t addr,
		     const uint8_t **ret_code, size_t *ret_len);

#endif
