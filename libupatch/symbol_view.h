/* SPDX-License-Identifier: MIT */
/* What the parts of symbols.h share. */
#ifndef UPATCH_SYMBOL_VIEW_H
#define UPATCH_SYMBOL_VIEW_H

#include "symbols.h"

/*
 * An empty table, whose index has been initialized; NULL: out of memory.
 * Release with symbols_close.
 */
struct symbol_table *symbols_new(const char *name, upatch_addr_t bias);

/* The same with an index that stays the caller's and outlives the table. */
struct symbol_table *symbols_new_shared(const char *name, upatch_addr_t bias,
					struct symbol_index *index);

/* An entry of the table's index as it is in the process. */
void symbol_view(const struct symbol_table *table, uint32_t number,
		 struct symbol *ret_symbol);

#endif
