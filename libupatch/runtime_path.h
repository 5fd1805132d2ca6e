/* SPDX-License-Identifier: MIT */
/* Where the library finds libupatch-runtime.so, which targets load. */
#ifndef UPATCH_RUNTIME_PATH_H
#define UPATCH_RUNTIME_PATH_H

#include <stddef.h>

#include "error.h"

/*
 * Writes an absolute path to ret_path.  Looked for in this order: the
 * environment's UPATCH_RUNTIME (for tests; ignored in set-user-ID programs),
 * beside the library as it was loaded (so that a build tree, or an installed
 * tree that was moved, uses its own), and where the build installs it.
 */
UPATCH_MUST_CHECK int runtime_path_find(char *ret_path, size_t size,
					struct upatch_error *err);

#endif
