/* SPDX-License-Identifier: MIT */
/* Which loader runs in the target, and where it keeps its list. */
#ifndef UPATCH_LOADER_H
#define UPATCH_LOADER_H

#include "memory.h"
#include "module_image.h"

struct loader {
	/*
	 * What the kernel mapped as the executable: the program, or the
	 * loader itself, in `ld.so PROGRAM`.
	 */
	struct module_image exe;
	/* struct r_debug, the head of the list */
	upatch_addr_t r_debug;
};

/*
 * UPATCH_ERROR_UNSUPPORTED: there is none, or another one than glibc's.
 * Release with loader_free.
 */
UPATCH_MUST_CHECK int loader_find(const struct memory *memory,
				  struct loader *ret_loader,
				  struct upatch_error *err);
void loader_free(struct loader *loader);

/* Where the kernel has put the program's headers; 0: not known. */
upatch_addr_t loader_find_headers(pid_t pid);
/* Whether the memory is still that of the same program. */
bool loader_is_alive(const struct memory *memory, const struct loader *loader);
/* UPATCH_ERROR_NO_TARGET: it is not. */
int loader_report_gone(const struct memory *memory, struct upatch_error *err);

#endif
