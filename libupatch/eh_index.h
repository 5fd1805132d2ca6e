/* SPDX-License-Identifier: MIT */
/*
 * Where functions begin, by the search table of .eh_frame_hdr in the target's
 * memory: it is there also when the symbols were stripped.
 */
#ifndef UPATCH_EH_INDEX_H
#define UPATCH_EH_INDEX_H

#include <stdbool.h>
#include <stddef.h>

#include "memory.h"
#include "modules.h"

struct eh_index {
	upatch_addr_t *starts; /* ascending */
	size_t count;
	upatch_addr_t end; /* of the module's last text */
};

/* Without a table the index is empty.  Release with eh_index_free. */
UPATCH_MUST_CHECK int eh_index_read(const struct memory *memory,
				    const struct module *module,
				    struct eh_index *ret_index,
				    struct upatch_error *err);
void eh_index_free(struct eh_index *index);

/* The function that `addr` is in, and at most where it ends. */
bool eh_index_find(const struct eh_index *index, upatch_addr_t addr,
		   struct addr_range *ret_range);

#endif
