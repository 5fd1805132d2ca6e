/* SPDX-License-Identifier: MIT */
/* Where functions begin and end, from a patch's unwind tables. */
#ifndef UPATCH_PATCH_FRAME_H
#define UPATCH_PATCH_FRAME_H

#include "patch_elf.h"

/*
 * The range of the frame description entry that covers `addr`, looked up
 * through .eh_frame_hdr; false: none, or a form that linkers do not emit.
 */
bool patch_frame_find(const struct patch_elf *elf, upatch_addr_t addr,
		      struct addr_range *ret_range);

#endif
