/* SPDX-License-Identifier: MIT */
/* Where functions begin, by the search table of .eh_frame_hdr. */
#include "eh_index.h"

#include <stdlib.h>
#include <string.h>

/*
 * Linux Standard Base Core, "The .eh_frame_hdr section"; the encodings are
 * those that GNU ld, gold and lld write.
 */
#define HDR_LEN			12
#define DW_EH_PE_UDATA4		0x03
#define DW_EH_PE_DATAREL_SDATA4 0x3b
#define ENTRIES_MAX		(16UL << 20)

static int fill(const struct memory *memory, const struct module *module,
		size_t count, struct eh_index *index, struct upatch_error *err)
{
	int32_t *table = malloc(count * 2 * sizeof(*table));
	int ret = 0;

	index->starts = malloc(count * sizeof(*index->starts));
	if (!table || !index->starts)
		ret = error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				"out of memory");
	if (!ret)
		ret = memory_read(memory, module->eh_frame_hdr + HDR_LEN, table,
				  count * 2 * sizeof(*table), err);
	for (size_t i = 0; !ret && i < count; i++)
		index->starts[i] = module->eh_frame_hdr +
				   (upatch_addr_t)(int64_t)table[2 * i];
	if (!ret)
		index->count = count;
	free(table);
	return ret;
}

int eh_index_read(const struct memory *memory, const struct module *module,
		  struct eh_index *ret_index, struct upatch_error *err)
{
	struct eh_index index = { 0 };
	unsigned char hdr[HDR_LEN];
	uint32_t count;
	int ret;

	if (module->text_count)
		index.end = module->text[module->text_count - 1].end;
	if (module->eh_frame_hdr_len >= HDR_LEN) {
		ret = memory_read(memory, module->eh_frame_hdr, hdr,
				  sizeof(hdr), err);
		if (ret)
			return ret;
		memcpy(&count, hdr + 8, sizeof(count));
		if (hdr[0] == 1 && hdr[2] == DW_EH_PE_UDATA4 &&
		    hdr[3] == DW_EH_PE_DATAREL_SDATA4 && count > 0 &&
		    count < ENTRIES_MAX &&
		    HDR_LEN + 8UL * count <= module->eh_frame_hdr_len) {
			ret = fill(memory, module, count, &index, err);
			if (ret) {
				eh_index_free(&index);
				return ret;
			}
		}
	}
	*ret_index = index;
	return 0;
}

void eh_index_free(struct eh_index *index)
{
	free(index->starts);
	*index = (struct eh_index){ 0 };
}

bool eh_index_find(const struct eh_index *index, upatch_addr_t addr,
		   struct addr_range *ret_range)
{
	size_t low = 0, high = index->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (index->starts[middle] <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return false;
	ret_range->start = index->starts[low - 1];
	ret_range->end = low < index->count ? index->starts[low] : index->end;
	return addr < ret_range->end;
}
